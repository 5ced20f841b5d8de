import type { Hex } from 'viem'
import { type AuditedTx, auditRecordOf, type Settled } from '../../core/audit.ts'
import type { OpenRecord } from '../../core/ports/audit.ts'
import { type Block, ChainUnavailableError, type MinedTx, type VaultEvent } from '../../core/ports/chain.ts'
import { auditBytes, auditHash, auditRecordSchema } from '../../core/protocol/audit-record.ts'
import { type BatchEvent, minedBatch, settledBatchOf } from '../mined-batch.ts'
import { isEmpty, ourOverdue } from '../settling.ts'
import type { Next, Stage, StageContext } from '../stage.ts'

/** Records per run: each is a few reads of the chain. */
const recordCountMax = 20

/** what is final → its audit record, one after the other, since each holds the hash of the one before. */
export const record: Stage = async (context) => {
  const { audit, config, log, stores } = context
  const next: Next[] = []
  for (let count = 0; count < recordCountMax; count++) {
    const open = await audit.next(config.chainId, config.vault)
    if (open === undefined) return next
    const bytes = await build(context, open)
    const sha256 = auditHash(bytes)
    const { id: cid } = await stores.ipfs.seal(bytes, {})
    const outcome = await audit.store(config.chainId, config.vault, open, { bytes, sha256, cid })
    if (outcome === 'moved') continue
    log.info({ record: open.id, chainId: config.chainId, sequence: open.sequence, sha256, cid }, 'recorded')
    if (next.length === 0) next.push({ stage: 'archive-ipfs' }, { stage: 'archive-arweave' })
  }
  return [...next, { stage: 'record' }]
}

async function build(context: StageContext, open: OpenRecord): Promise<Uint8Array> {
  const { chain, config, audit } = context
  const mined = await chain.mined(open.txHash)
  const block = await chain.blockByHash(open.blockHash)
  if (mined.outcome === 'absent' || block.outcome === 'absent' || mined.value.blockHash !== open.blockHash) {
    throw new ChainUnavailableError(`the final tx ${open.txHash} in block ${open.blockHash}`)
  }
  const events = await eventsOf(context, mined.value, block.value)
  const settled = await settledIn(context, open, mined.value, events)
  const { input: _input, ...receipt } = mined.value
  const tx: AuditedTx = { ...receipt, blockTime: block.value.at }
  const record = auditRecordOf({
    chainId: config.chainId,
    vault: config.vault,
    relayerId: config.relayerId,
    sequence: open.sequence,
    previous: open.previous,
    tx,
    settled,
    ...(await audit.booked(open, digestsOf(context, settled))),
  })
  // It cannot be taken back: what does not fit its own schema is not published.
  return auditBytes(auditRecordSchema.parse(record))
}

async function eventsOf({ chain }: StageContext, { hash }: MinedTx, block: Block): Promise<readonly VaultEvent[]> {
  const events = (await chain.events(block)).filter(({ txHash }) => txHash === hash)
  if (events.length === 0) throw new ChainUnavailableError(`the events of ${hash}, which it had shown`)
  return events
}

async function settledIn(
  context: StageContext,
  open: OpenRecord,
  { hash }: MinedTx,
  events: readonly VaultEvent[],
): Promise<Settled> {
  const { config } = context
  const batch = events.find(
    (event): event is BatchEvent =>
      event.name === 'BatchSettled' && event.relayerId === config.relayerId && !isEmpty(event),
  )
  if (batch !== undefined) {
    const isOwn = batch.mode === 'chained' && open.batchId !== undefined
    const starts = isOwn ? await context.audit.starts(open.batchId) : undefined
    const mined = await minedBatch(context, batch, starts)
    if (mined === undefined) throw new Error(`tx ${hash} is no call of the contract with a batch of a listed token`)
    const { batchId, opening } = open
    return { kind: 'batch', batchId, opening, ...mined }
  }
  const ours = await ourOverdue(context, events)
  return {
    kind: 'overdue',
    payments: events.filter((event) => event.name === 'OverdueSettled').filter(({ digest }) => ours.has(digest)),
  }
}

function digestsOf(context: StageContext, settled: Settled): readonly Hex[] {
  if (settled.kind === 'overdue') return settled.payments.map(({ digest }) => digest)
  return settledBatchOf(context, settled).payments.flatMap(({ digest }) => digest ?? [])
}
