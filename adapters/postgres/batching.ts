import { sql } from 'kysely'
import type { Address } from 'viem'
import type { Batching, NewBatch, Waiting, WaitingCancel, WaitingPayment } from '../../core/ports/batching.ts'
import { addressOf, bytes, hexOf, idOf, uuidOfOwn } from './codec.ts'
import { type Database, inTransaction, query } from './database.ts'

export function createBatching(database: Database): Batching {
  return {
    waiting: (chainId, vault) => waiting(database, chainId, vault),
    payments: (chainId, vault, token, countMax) => payments(database, chainId, vault, token, countMax),
    cancels: (chainId, vault, token, countMax) => cancels(database, chainId, vault, token, countMax),
    create: (batch) => create(database, batch),
    refuse: async (refusals) => {
      const set = refusals.map((r) => ({ id: uuidOfOwn('pi', r.id), reason: r.reason, millis: r.retryAfterMillis }))
      await sql`
        update intent i
        set refusals = refusals + 1, reason = r.reason, retry_at = now() + r.millis * interval '1 millisecond', updated_at = now()
        from jsonb_to_recordset(${JSON.stringify(set)}::jsonb) as r(id uuid, reason text, millis integer)
        where i.id = r.id and i.state = 'accepted'`.execute(database)
    },
    refuseCancels: async (ids) => {
      await sql`
        update cancellation set retry_at = now() + interval '5 seconds'
        where intent_id = any(${ids.map((id) => uuidOfOwn('pi', id))}) and batch_id is null`.execute(database)
    },
  }
}

async function waiting(database: Database, chainId: number, vault: Address): Promise<readonly Waiting[]> {
  type Row = { token: Buffer; payments: number; cancels: number; age_millis: number }
  const found = await query(
    database,
    sql<Row>`
      select token, sum(payments)::bigint as payments, sum(cancels)::bigint as cancels,
        (extract(epoch from now() - min(since)) * 1000)::bigint as age_millis
      from (
        select token, 1 as payments, 0 as cancels, updated_at as since from intent
        where chain_id = ${chainId} and vault = ${bytes(vault)} and state = 'accepted' and retry_at <= now() and outside_block is null and deadline >= extract(epoch from now())
        union all
        select i.token, 0, 1, c.created_at from cancellation c join intent i on i.id = c.intent_id
        where c.batch_id is null and c.retry_at <= now() and i.chain_id = ${chainId} and i.vault = ${bytes(vault)} and i.state = 'cancelling'
      ) as waiting
      group by token`,
  )
  return found.map((row) => ({
    token: addressOf(row.token),
    paymentCount: row.payments,
    cancelCount: row.cancels,
    oldestAgeMillis: row.age_millis,
  }))
}

async function payments(
  database: Database,
  chainId: number,
  vault: Address,
  token: Address,
  countMax: number,
): Promise<readonly WaitingPayment[]> {
  type Row = {
    id: string
    payer: Buffer
    payee: Buffer
    amount: string
    nonce: number
    deadline: number
    order_ref: Buffer
    signature: Buffer
  }
  const found = await query(
    database,
    sql<Row>`
      select id, payer, payee, amount, nonce, deadline, order_ref, signature from intent
      where chain_id = ${chainId} and vault = ${bytes(vault)} and token = ${bytes(token)}
        and state = 'accepted' and retry_at <= now() and outside_block is null and deadline >= extract(epoch from now())
      order by id limit ${countMax}`,
  )
  return found.map((row) => ({
    id: idOf('pi', row.id),
    token,
    payer: addressOf(row.payer),
    payee: addressOf(row.payee),
    amount: BigInt(row.amount),
    nonce: BigInt(row.nonce),
    deadline: BigInt(row.deadline),
    orderRef: hexOf(row.order_ref),
    signature: hexOf(row.signature),
  }))
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
      select i.id, i.payer, i.nonce, c.deadline, c.signature from cancellation c join intent i on i.id = c.intent_id
      where c.batch_id is null and c.retry_at <= now() and c.deadline > extract(epoch from now())
        and i.chain_id = ${chainId} and i.vault = ${bytes(vault)} and i.token = ${bytes(token)} and i.state = 'cancelling'
      order by i.id limit ${countMax}`,
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
  const numbered = (ids: readonly string[]) =>
    JSON.stringify(ids.map((id, index) => ({ id: uuidOfOwn('pi', id), index })))

  return inTransaction(database, async (tx) => {
    await sql`
      insert into batch (id, chain_id, vault, token, state, anchor, payment_count, cancel_count, payload, gas_limit)
      values (${batchUuid}, ${batch.chainId}, ${bytes(batch.vault)}, ${bytes(batch.token)}, 'batched', ${bytes(batch.anchor)},
        ${batch.paymentIds.length}, ${batch.cancelIds.length}, ${bytes(batch.payload)}, ${batch.gasLimit})`.execute(tx)
    const boundPayments = await sql`
      update intent i set state = 'batched', batch_id = ${batchUuid}, batch_index = r.index, reason = null, updated_at = now()
      from jsonb_to_recordset(${numbered(batch.paymentIds)}::jsonb) as r(id uuid, index integer)
      where i.id = r.id and i.state = 'accepted' and i.outside_block is null`.execute(tx)
    const boundCancels = await sql`
      update cancellation c set batch_id = ${batchUuid}, batch_index = r.index
      from jsonb_to_recordset(${numbered(batch.cancelIds)}::jsonb) as r(id uuid, index integer)
      where c.intent_id = r.id and c.batch_id is null`.execute(tx)
    const isWhole =
      boundPayments.numAffectedRows === BigInt(batch.paymentIds.length) &&
      boundCancels.numAffectedRows === BigInt(batch.cancelIds.length)
    if (!isWhole) throw new Raced()
    return 'created' as const
  }).catch((error: unknown) => {
    if (error instanceof Raced) return 'raced' as const
    throw error
  })
}

/** Rolls the DB transaction back: one of the records is no longer free. */
class Raced extends Error {}
