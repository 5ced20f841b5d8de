import { sql } from 'kysely'
import type { BatchState } from '../../core/batch.ts'
import type { Batches, BatchRecord } from '../../core/ports/batches.ts'
import { addressOf, hexOf, idOf, uuidAt, uuidOf } from './codec.ts'
import { type Database, query } from './database.ts'

export function createBatches(database: Database): Batches {
  return {
    find: async (id) => {
      const uuid = uuidOf('sb', id)
      if (uuid === undefined) return undefined
      const batch = await find(database, uuid)
      return batch && { ...batch, attempts: await attemptsOf(database, uuid, batch) }
    },
    isVisibleTo: async (id, appId) => {
      const uuid = uuidOf('sb', id)
      return uuid !== undefined && isVisibleTo(database, uuid, appId)
    },
  }
}

/** Result bits count payments first, then cancels: only the payments' are counted. */
async function find(database: Database, uuid: string): Promise<Omit<BatchRecord, 'attempts'> | undefined> {
  type Row = {
    id: string
    chain_id: number
    vault: Buffer
    token: Buffer
    state: BatchState
    anchor: Buffer
    payment_count: number
    cancel_count: number
    block_number: number | null
    block_hash: Buffer | null
    tx_hash: Buffer | null
    gas_used: number | null
    settled_count: number | null
    created_at: Date
    included_at: Date | null
    finalized_at: Date | null
  }
  const [row] = await query(
    database,
    sql<Row>`
      select id, chain_id, vault, token, state, anchor, payment_count, cancel_count, block_number, block_hash, tx_hash,
        gas_used, created_at, included_at, finalized_at,
        case when results is not null then
          (select count(*) from generate_series(0, payment_count - 1) as i where get_bit(results, i) = 1)
        end as settled_count
      from batch where id = ${uuid}`,
  )
  return (
    row && {
      id: idOf('sb', row.id),
      chainId: row.chain_id,
      vault: addressOf(row.vault),
      token: addressOf(row.token),
      state: row.state,
      anchor: hexOf(row.anchor),
      paymentCount: row.payment_count,
      cancelCount: row.cancel_count,
      blockNumber: row.block_number === null ? undefined : BigInt(row.block_number),
      blockHash: row.block_hash === null ? undefined : hexOf(row.block_hash),
      txHash: row.tx_hash === null ? undefined : hexOf(row.tx_hash),
      gasUsed: row.gas_used === null ? undefined : BigInt(row.gas_used),
      settledCount: row.settled_count ?? undefined,
      createdAtMillis: row.created_at.getTime(),
      includedAtMillis: row.included_at?.getTime(),
      finalizedAtMillis: row.finalized_at?.getTime(),
    }
  )
}

/** Clocks of two processes may disagree by as much. */
const clockSkewMillisMax = 24 * 3600_000

/** Oldest first: ids sort by time. A batch is broadcast after it was made and before it is final: no other days are opened. */
async function attemptsOf(
  database: Database,
  uuid: string,
  { createdAtMillis, finalizedAtMillis = Date.now() }: Omit<BatchRecord, 'attempts'>,
): Promise<BatchRecord['attempts']> {
  type Row = { id: string; tx_hash: Buffer | null; state: string; max_fee_per_gas_wei: string; created_at: Date }
  const rows = await query(
    database,
    sql<Row>`
      select id, tx_hash, state, max_fee_per_gas_wei, created_at from attempt
      where batch_id = ${uuid} and id >= ${uuidAt(createdAtMillis - clockSkewMillisMax)}
        and id < ${uuidAt(finalizedAtMillis + clockSkewMillisMax)}
      order by id`,
  )
  return rows.map((row) => ({
    id: idOf('at', row.id),
    txHash: row.tx_hash === null ? undefined : hexOf(row.tx_hash),
    state: row.state,
    maxFeePerGasWei: BigInt(row.max_fee_per_gas_wei),
    createdAtMillis: row.created_at.getTime(),
  }))
}

/** Batch, payments, orders, one after the other: each statement names the ids that the one before it found, and opens their days only. */
async function isVisibleTo(database: Database, uuid: string, appId: string): Promise<boolean> {
  const [span] = await query(
    database,
    sql<{ intent_low: string; intent_high: string }>`select intent_low, intent_high from batch where id = ${uuid}`,
  )
  if (span === undefined) return false
  const [payments] = await query(
    database,
    sql<{ is_own: boolean | null; order_ids: readonly string[] | null }>`
      select bool_or(app_id = ${appId}) as is_own,
        array_agg(distinct order_id) filter (where order_id is not null) as order_ids
      from intent where batch_id = ${uuid} and id between ${span.intent_low} and ${span.intent_high}`,
  )
  if (payments?.is_own) return true
  if (!payments?.order_ids) return false
  const [orders] = await query(
    database,
    sql<{ is_own: boolean }>`
      select exists (select from payment_order where id = any(${payments.order_ids}::uuid[]) and app_id = ${appId}) as is_own`,
  )
  return orders?.is_own ?? false
}
