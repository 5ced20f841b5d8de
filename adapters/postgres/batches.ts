import { sql } from 'kysely'
import type { BatchState } from '../../core/batch.ts'
import type { Batches, BatchRecord } from '../../core/ports/batches.ts'
import { addressOf, hexOf, idOf, uuidOf } from './codec.ts'
import { type Database, query } from './database.ts'

export function createBatches(database: Database): Batches {
  return {
    find: async (id) => {
      const uuid = uuidOf('sb', id)
      if (uuid === undefined) return undefined
      const [batch, attempts] = await Promise.all([find(database, uuid), attemptsOf(database, uuid)])
      return batch && { ...batch, attempts }
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

/** Oldest first: ids sort by time. */
async function attemptsOf(database: Database, uuid: string): Promise<BatchRecord['attempts']> {
  type Row = { id: string; tx_hash: Buffer | null; state: string; max_fee_per_gas_wei: string; created_at: Date }
  const rows = await query(
    database,
    sql<Row>`
      select id, tx_hash, state, max_fee_per_gas_wei, created_at from attempt where batch_id = ${uuid} order by id`,
  )
  return rows.map((row) => ({
    id: idOf('at', row.id),
    txHash: row.tx_hash === null ? undefined : hexOf(row.tx_hash),
    state: row.state,
    maxFeePerGasWei: BigInt(row.max_fee_per_gas_wei),
    createdAtMillis: row.created_at.getTime(),
  }))
}

async function isVisibleTo(database: Database, uuid: string, appId: string): Promise<boolean> {
  const [row] = await query(
    database,
    sql<{ is_visible: boolean }>`
      select exists (
        select from intent i left join payment_order o on o.id = i.order_id
        where i.batch_id = ${uuid} and (i.app_id = ${appId} or o.app_id = ${appId})
      ) as is_visible`,
  )
  return row?.is_visible ?? false
}
