import { sql } from 'kysely'
import type { Address } from 'viem'
import type {
  Batching,
  BatchKind,
  NewBatch,
  RecordRefusal,
  Waiting,
  WaitingCancel,
  WaitingPayment,
} from '../../core/ports/batching.ts'
import type { SignedPermit } from '../../core/protocol/packed-pull.ts'
import type { Mode } from '../../core/protocol/taking.ts'
import { chainedWaiting, type SignedRow } from './chained-waiting.ts'
import { addressOf, bytes, hexOf, idOf, uuidOfOwn } from './codec.ts'
import { type Database, inTransaction, query } from './database.ts'
import { paymentOf, takingOf } from './intent-row.ts'
import { isRecent } from './open-window.ts'

/** Longest pause before a refused record is tried again. */
const retryMillisMax = 300_000
const cancelRetryMillisMin = 5_000

export function createBatching(database: Database): Batching {
  return {
    waiting: (chainId, vault, countMax) => waiting(database, chainId, vault, countMax),
    payments: (chainId, vault, kind, countMax, except = []) =>
      payments(database, chainId, vault, kind, countMax, except),
    cancels: (chainId, vault, token, countMax) => cancels(database, chainId, vault, token, countMax),
    create: (batch) => create(database, batch),
    refuse: (refusals) => refuse(database, refusals),
    refuseCancels: (ids) => refuseCancels(database, ids),
  }
}

/** With a state and in the order of `retry_at`, the index `intent_waiting` serves it. */
const isOpen = (chainId: number, vault: Address) => sql`
  ${isRecent('i.id')} and i.chain_id = ${chainId} and i.vault = ${bytes(vault)} and i.outside_block is null`
/** A signature past its deadline only fails on chain. */
const isDuePayment = sql`i.state = 'accepted' and i.retry_at <= now() and i.deadline >= ceil(extract(epoch from now()))::bigint`
const isDueCancel = () => sql`
  i.state = 'cancelling' and ${isRecent('c.intent_id')} and c.batch_id is null and c.retry_at <= now()
  and c.deadline > extract(epoch from now())`

/** Steps from token and mode to the next in the index instead of reading all that waits, and counts no further than `countMax`. */
async function waiting(
  database: Database,
  chainId: number,
  vault: Address,
  countMax: number,
): Promise<readonly Waiting[]> {
  type Row = { token: Buffer; mode: Mode; payments: number; cancels: number; age_millis: number }
  const open = isOpen(chainId, vault)
  const found = await query(
    database,
    sql<Row>`
      with recursive held as (
        (select i.token::bytea, i.mode::text from intent i
          where ${open} and i.state in ('accepted', 'cancelling')
          order by i.token, i.mode limit 1)
        union all
        select next.token, next.mode from held cross join lateral (
          select i.token::bytea, i.mode::text from intent i
          where ${open} and i.state in ('accepted', 'cancelling') and (i.token, i.mode) > (held.token, held.mode)
          order by i.token, i.mode limit 1
        ) as next
      )
      select held.token, held.mode, p.count as payments, c.count as cancels,
        (extract(epoch from now() - least(p.since, c.since)) * 1000)::bigint as age_millis
      from held
        cross join lateral (
          select count(*), min(due.retry_at) as since from (
            select i.retry_at from intent i
            where ${open} and i.token = held.token and i.mode = held.mode and ${isDuePayment}
            order by i.retry_at, i.id limit ${countMax}
          ) as due
        ) as p
        cross join lateral (
          select count(*), min(due.created_at) as since from (
            select c.created_at from intent i join cancellation c on c.intent_id = i.id
            where ${open} and i.token = held.token and i.mode = held.mode and ${isDueCancel()}
            order by i.retry_at, i.id limit ${countMax}
          ) as due
        ) as c
      where p.count + c.count > 0`,
  )
  return found.map((row) => ({
    token: addressOf(row.token),
    mode: row.mode,
    paymentCount: row.payments,
    cancelCount: row.cancels,
    oldestAgeMillis: row.age_millis,
  }))
}

async function payments(
  database: Database,
  chainId: number,
  vault: Address,
  { token, mode }: BatchKind,
  countMax: number,
  except: readonly Address[],
): Promise<readonly WaitingPayment[]> {
  const open = sql`${isOpen(chainId, vault)} and i.token = ${bytes(token)} and i.mode = ${mode}`
  const found = await query(
    database,
    mode === 'chained'
      ? chainedWaiting({ open, isDue: isDuePayment, chainId, vault, token, countMax, except })
      : sql<SignedRow>`select i.* from intent i where ${open} and ${isDuePayment} order by i.retry_at, i.id limit ${countMax}`,
  )
  const permits = mode === 'pull' ? await permitsOf(database, found) : undefined
  return found.map((row) => ({
    id: idOf('pi', row.id),
    ...paymentOf(row),
    taking: takingOf(row),
    signature: hexOf(row.signature),
    permit: permits?.get(row.id),
  }))
}

/** By the ids that rows hold. */
async function permitsOf(database: Database, rows: readonly SignedRow[]): Promise<ReadonlyMap<string, SignedPermit>> {
  const owners = new Map(rows.map(({ id, payer }) => [id, addressOf(payer)]))
  const found = await query(
    database,
    sql<{ intent_id: string; value: string; deadline: string; signature: Buffer }>`
      select * from pull_permit where intent_id = any(${[...owners.keys()]}::uuid[])`,
  )
  return new Map(
    found.flatMap(({ intent_id, value, deadline, signature }): readonly [string, SignedPermit][] => {
      const owner = owners.get(intent_id)
      if (owner === undefined) return []
      const permit = { owner, value: BigInt(value), deadline: BigInt(deadline), signature: hexOf(signature) }
      return [[intent_id, permit]]
    }),
  )
}

async function cancels(
  database: Database,
  chainId: number,
  vault: Address,
  token: Address,
  countMax: number,
): Promise<readonly WaitingCancel[]> {
  type Row = { id: string; payer: Buffer; nonce: number; deadline: number; signature: Buffer }
  const found = await query(
    database,
    sql<Row>`
      select i.id, i.payer, i.nonce, c.deadline, c.signature from intent i join cancellation c on c.intent_id = i.id
      where ${isOpen(chainId, vault)} and i.token = ${bytes(token)} and i.mode = 'independent' and ${isDueCancel()}
      order by i.retry_at, i.id limit ${countMax}`,
  )
  return found.map((row) => ({
    id: idOf('pi', row.id),
    token,
    payer: addressOf(row.payer),
    nonce: BigInt(row.nonce),
    deadline: BigInt(row.deadline),
    signature: hexOf(row.signature),
  }))
}

function create(database: Database, batch: NewBatch): Promise<'created' | 'raced'> {
  const batchUuid = uuidOfOwn('sb', batch.id)
  const payments = batch.payments.map(({ id, bit }) => ({ id: uuidOfOwn('pi', id), index: bit }))
  const cancels = batch.cancelIds.map((id, index) => ({ id: uuidOfOwn('pi', id), index }))
  const span = spanOf([...payments, ...cancels].map(({ id }) => id))

  return inTransaction(database, async (tx) => {
    await sql`
      insert into batch (id, chain_id, vault, token, mode, state, anchor, anchor_sequence, anchor_head, payment_count, cancel_count, intent_low, intent_high, payload, gas_limit)
      values (${batchUuid}, ${batch.chainId}, ${bytes(batch.vault)}, ${bytes(batch.token)}, ${batch.mode}, 'batched', ${bytes(batch.anchor)},
        ${batch.opening.sequence}, ${bytes(batch.opening.head)},
        ${payments.length}, ${cancels.length}, ${span.low}, ${span.high}, ${bytes(batch.payload)}, ${batch.gasLimit})`.execute(
      tx,
    )
    const boundPayments = await sql`
      update intent i set state = 'batched', batch_id = ${batchUuid}, batch_index = r.index, reason = null, updated_at = now()
      from jsonb_to_recordset(${JSON.stringify(payments)}::jsonb) as r(id uuid, index integer)
      where i.id = r.id and i.id between ${span.low} and ${span.high} and i.state = 'accepted' and i.outside_block is null`.execute(
      tx,
    )
    const boundCancels = await sql`
      update cancellation c set batch_id = ${batchUuid}, batch_index = r.index
      from jsonb_to_recordset(${JSON.stringify(cancels)}::jsonb) as r(id uuid, index integer)
      where c.intent_id = r.id and c.intent_id between ${span.low} and ${span.high} and c.batch_id is null`.execute(tx)
    const isWhole =
      boundPayments.numAffectedRows === BigInt(payments.length) &&
      boundCancels.numAffectedRows === BigInt(cancels.length)
    if (!isWhole) throw new Raced()
    await sql`
      insert into batch_app (app_id, batch_id)
      select distinct a.app_id, ${batchUuid}::uuid
      from intent i left join payee_owner p on p.chain_id = i.chain_id and p.payee = i.payee,
        unnest(array[i.app_id, i.order_app_id, p.app_id]) as a(app_id)
      where i.batch_id = ${batchUuid} and i.id between ${span.low} and ${span.high} and a.app_id is not null`.execute(
      tx,
    )
    return 'created' as const
  }).catch((error: unknown) => {
    if (error instanceof Raced) return 'raced' as const
    throw error
  })
}

/** Bounds for statements on these ids: from a set alone, Postgres cannot tell which days it needs. */
function spanOf(uuids: readonly string[]): { readonly low: string; readonly high: string } {
  const sorted = uuids.toSorted()
  const [low, high] = [sorted[0], sorted.at(-1)]
  if (low === undefined || high === undefined) throw new RangeError('a set of no records')
  return { low, high }
}

/** Waits twice as long after every refusal, so that records that never pass make room for those that do. */
async function refuse(database: Database, refusals: readonly RecordRefusal[]): Promise<void> {
  if (refusals.length === 0) return
  const set = refusals.map((r) => ({ id: uuidOfOwn('pi', r.id), reason: r.reason, millis: r.retryAfterMillis }))
  const span = spanOf(set.map(({ id }) => id))
  await sql`
    update intent i set refusals = i.refusals + 1, reason = r.reason, updated_at = now(),
      retry_at = now() + least(${retryMillisMax}, r.millis * 2 ^ least(i.refusals, 20)) * interval '1 millisecond'
    from jsonb_to_recordset(${JSON.stringify(set)}::jsonb) as r(id uuid, reason text, millis integer)
    where i.id = r.id and i.id between ${span.low} and ${span.high} and i.state = 'accepted'`.execute(database)
}

/** Waits as long as it has waited already, which doubles like the delay of a payment. */
async function refuseCancels(database: Database, ids: readonly string[]): Promise<void> {
  await sql`
    update cancellation set retry_at = now() + least(
      ${retryMillisMax} * interval '1 millisecond',
      greatest(${cancelRetryMillisMin} * interval '1 millisecond', now() - created_at))
    where intent_id = any(${ids.map((id) => uuidOfOwn('pi', id))}::uuid[]) and batch_id is null`.execute(database)
}

/** Rolls the DB transaction back: one of the records is no longer free. */
class Raced extends Error {}
