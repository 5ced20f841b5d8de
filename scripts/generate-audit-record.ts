// `node scripts/generate-audit-record.ts`: writes the schema of audit records for docs, and a vector of two records that
// pins their bytes. With `--check` it writes nothing and exits 1 if a file on disk differs.
import { readFile, writeFile } from 'node:fs/promises'
import { bytesToString, type Hex, keccak256, stringToHex } from 'viem'
import { z } from 'zod'
import { type AuditFacts, auditRecordOf } from '../core/audit.ts'
import {
  type AuditRecord,
  anchorOf,
  appTagOf,
  auditBytes,
  auditHash,
  auditRecordSchema,
} from '../core/protocol/audit-record.ts'
import { decodeBatch, decodeResults, encodeBatch } from '../core/protocol/packed.ts'
import { domainOf, domainSeparator, paymentDigest, zeroHash } from '../core/protocol/typed-data.ts'

type Packed = {
  readonly domain: { readonly chainId: number; readonly verifyingContract: Hex }
  readonly at: string
  readonly relayerId: number
  readonly batches: readonly {
    readonly blob: Hex
    readonly scale: string
    readonly results: Hex
  }[]
}
const packed: Packed = JSON.parse(await readFile(new URL('../test/vectors/packed.json', import.meta.url), 'utf8'))
const { chainId, verifyingContract: vault } = packed.domain
const separator = domainSeparator(domainOf({ chainId, vault }))
const apps = ['app_wallet', 'app_shop'].map((appId, index) => {
  const salt: Hex = `0x${`${index + 1}`.repeat(32)}`
  return { appId, salt, tag: appTagOf({ salt, appId }) }
})

/** Two records of the same signed payments: the second shows how it commits to the first. */
function records() {
  const [source] = packed.batches
  if (source === undefined) throw new Error('the packed vectors have no batch')
  const scale = BigInt(source.scale)
  const { payments, cancels, token } = decodeBatch(source.blob, scale)
  const results = decodeResults(source.results, payments.length + cancels.length)
  const digests = payments.map((payment) => paymentDigest(separator, payment))
  // By turns, but the same payment belongs to the same app wherever it stands.
  const owners = digests.map((digest) => apps[digests.indexOf(digest) % apps.length]?.appId ?? '')
  const found: { batchId: string; record: AuditRecord; canonical: string; sha256: Hex }[] = []
  let head: Hex = zeroHash
  for (const sequence of [1n, 2n]) {
    const batchId = `sb_01k9v3m2c7f60a4nx8p5j3k1h${sequence === 1n ? 'd' : 'e'}`
    const anchor = anchorOf({ head, batchId })
    const payload = encodeBatch({ token, scale, anchor, payments, cancels })
    const facts: AuditFacts = {
      ...{ chainId, vault, relayerId: packed.relayerId, sequence, previous: head },
      tx: {
        hash: keccak256(stringToHex(`tx ${sequence}`)),
        blockNumber: 100n + sequence,
        blockHash: keccak256(stringToHex(`block ${sequence}`)),
        ...{ blockTime: BigInt(packed.at), status: 1n, gasUsed: 812_345n, effectiveGasPriceWei: 1_500_000_007n },
        logs: [{ logIndex: 0, topics: [keccak256(stringToHex('an event'))], data: '0x' }],
      },
      settled: {
        ...{ kind: 'batch', batchId, scale, payload, results: source.results, starts: new Map() },
        opening: { sequence: sequence - 1n, head },
      },
      payments: new Map(
        payments.map(({ deadline, signature }, index) => [
          digests[index] ?? zeroHash,
          { appId: owners[index] ?? '', orderHash: undefined, deadline, signature },
        ]),
      ),
      cancels: new Map(),
      apps: new Map(apps.map(({ appId, tag }) => [appId, { tag, ...rangeOf(appId, owners, results, sequence) }])),
    }
    const record = auditRecordOf(facts)
    const bytes = auditBytes(record)
    head = auditHash(bytes)
    found.push({ batchId, record, canonical: bytesToString(bytes), sha256: head })
  }
  return found
}

/** How often an app settles in one record, and so which number its first payment has in each. */
function rangeOf(appId: string, owners: readonly string[], results: readonly boolean[], sequence: bigint) {
  const count = owners.filter((owner, index) => owner === appId && results[index] === true).length
  return { first: (sequence - 1n) * BigInt(count) + 1n, count }
}

const files = {
  'docs/audit-record.schema.json': {
    $id: 'ice.audit-record/1',
    title: 'ICE audit record',
    ...z.toJSONSchema(auditRecordSchema),
  },
  'test/vectors/audit-record.json': {
    source: 'scripts/generate-audit-record.ts; payments and cancels of the first batch of test/vectors/packed.json',
    apps,
    records: records(),
  },
}
const isCheck = process.argv.includes('--check')
for (const [name, content] of Object.entries(files)) {
  const wanted = `${JSON.stringify(content, null, 2)}\n`
  const file = new URL(`../${name}`, import.meta.url)
  if (!isCheck) await writeFile(file, wanted)
  else if ((await readFile(file, 'utf8').catch(() => '')) !== wanted) {
    console.error(`${name} is stale: run node scripts/generate-audit-record.ts`)
    process.exitCode = 1
  }
}
