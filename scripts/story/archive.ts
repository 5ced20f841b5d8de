import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Scene } from './scene.ts'
import type { BatchView } from './settle.ts'
import type { StepLines } from './terminal.ts'

type AuditedBatch = {
  readonly audit: {
    readonly id: string
    readonly sequence: string
    readonly sha256: string | null
    readonly cid: string | null
    readonly arweaveId: string | null
    readonly status: 'open' | 'archived'
    readonly ipfs: { readonly reason: string | null } | null
    readonly arweave: { readonly reason: string | null } | null
  } | null
}

const waitMillisMax = 60_000

/** The record of each batch, as anybody may read it from the two stores, against what ICE hands out. @throws Error if one byte differs. */
export async function archive(scene: Scene, batches: readonly BatchView[], lines: StepLines): Promise<void> {
  for (const [index, { id, mode }] of batches.entries()) {
    const { sequence, sha256, cid, arweaveId, recordId } = await archived(scene, id, lines)
    const { ipfs, arweave } = scene.system.archives
    const ours = await scene.wallet.bytes(`/v1/audit/records/${recordId}`)
    const copies = [
      ...(ipfs === undefined ? [] : [{ name: 'IPFS', bytes: await download(`${ipfs}/ipfs/${cid}`) }]),
      { name: 'Arweave', bytes: await download(`${arweave}/${arweaveId}`) },
    ]
    for (const { name, bytes } of copies) {
      if (!ours.equals(bytes)) throw new Error(`${name} gave other bytes for audit record ${sequence} of batch ${id}`)
    }
    const found = `0x${createHash('sha256').update(ours).digest('hex')}`
    if (found !== sha256) throw new Error(`audit record ${sequence} hashes to ${found}, ICE says ${sha256}`)
    const size = `${ours.length.toLocaleString('en')} bytes`
    const verdict = `read back from ${copies.map(({ name }) => name).join(' and ')}, byte-equal`
    if (index > 0) {
      lines.tell(`audit record ${sequence} of the ${mode} batch ${id}, ${size}, ${verdict}`)
      continue
    }
    lines.tell(`audit record ${sequence} of batch ${id}, ${size}`)
    lines.tell(`sha256 ${sha256}`)
    lines.tell(`IPFS ${cid}`)
    lines.tell(`Arweave ${arweaveId}`)
    lines.tell(verdict)
  }
}

async function archived({ wallet }: Scene, batchId: string, { say }: StepLines) {
  const startedMillis = performance.now()
  for (;;) {
    const { audit } = await wallet.get<AuditedBatch>(`/v1/batches/${batchId}`)
    if (audit?.status === 'archived' && audit.sha256 !== null && audit.cid !== null && audit.arweaveId !== null) {
      const { sequence, sha256, cid, arweaveId, id: recordId } = audit
      return { sequence, sha256, cid, arweaveId, recordId }
    }
    if (performance.now() - startedMillis > waitMillisMax) {
      const reasons = [audit?.ipfs?.reason, audit?.arweave?.reason].filter((reason) => typeof reason === 'string')
      throw new Error(`batch ${batchId} is not archived after ${waitMillisMax / 1000} s: ${reasons.join('; ')}`)
    }
    say('final → archived')
    await sleep(100)
  }
}

async function download(url: string): Promise<Buffer> {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`GET ${url} was answered with ${response.status}`)
  return Buffer.from(await response.arrayBuffer())
}
