import { sql } from 'kysely'
import type { BatchState } from '../../core/batch.ts'
import type { Batches, BatchRecord, BatchSummary } from '../../core/ports/batches.ts'
import { decodeResults } from '../../core/protocol/packed.ts'
import { decodeChainedBatch } from '../../core/protocol/packed-chained.ts'
import type { Mode } from '../../core/protocol/taking.ts'
import { listBatches } from './batch-list.ts'
import { addressOf, hexOf, idOf, uuidAt, uuidOf } from './codec.ts'
import { type Database, query } from './database.ts'

export function createBatches(database: Database): Batches {
  return {
    find: async (id) => {
      const uuid = uuidOf('sb', id)
      if (uuid === undefined) return undefined
      const [batch] = await load(database, [uuid])
      return batch && { ...batch, attempts: await attemptsOf(database, uuid, batch) }
    },
    list: (query) => listBatches(database, query, load),
    isVisibleTo: async (id, appId) => {
      const uuid = uuidOf('sb', id)
      return uuid !== undefined && isVisibleTo(database, uuid, appId)
    },
  }
}

/** The batches that exist among these, newest first. Result bits count payments first, then cancels: only the payments' are counted. */
async function load(database: Database, uuids: readonly string[]): Promise<readonly BatchSummary[]> {
  if (uuids.length === 0) return []
  type Row = {
    id: string
    chain_id: number
    vault: Buffer
    token: Buffer
    mode: Mode
    state: BatchState
    anchor: Buffer
    payment_count: number
    cancel_count: number
    block_number: number | null
    block_hash: Buffer | null
    tx_hash: Buffer | null
    gas_used: number | null
    settled_count: number | null
    runs: Buffer | null
    results: Buffer | null
    created_at: Date
    included_at: Date | null
    finalized_at: Date | null
  }
  const rows = await query(
    database,
    sql<Row>`
      select id, chain_id, vault, token, mode, state, anchor, payment_count, cancel_count, block_number, block_hash, tx_hash,
        gas_used, created_at, included_at, finalized_at,
        case when mode = 'chained' then payload end as runs, results,
        case when results is not null and mode <> 'chained' then
          (select count(*) from generate_series(0, payment_count - 1) as i where get_bit(results, i) = 1)
        end as settled_count
      from batch where id = any(${uuids}::uuid[]) order by id desc`,
  )
  return rows.map((row) => ({
    id: idOf('sb', row.id),
    chainId: row.chain_id,
    vault: addressOf(row.vault),
    token: addressOf(row.token),
    mode: row.mode,
    state: row.state,
    anchor: hexOf(row.anchor),
    paymentCount: row.payment_count,
    cancelCount: row.cancel_count,
    blockNumber: row.block_number === null ? undefined : BigInt(row.block_number),
    blockHash: row.block_hash === null ? undefined : hexOf(row.block_hash),
    txHash: row.tx_hash === null ? undefined : hexOf(row.tx_hash),
    gasUsed: row.gas_used === null ? undefined : BigInt(row.gas_used),
    settledCount: row.settled_count ?? settledInRuns(row),
    createdAtMillis: row.created_at.getTime(),
    includedAtMillis: row.included_at?.getTime(),
    finalizedAtMillis: row.finalized_at?.getTime(),
  }))
}

/** A run has one bit for all of its payments, and only the payload says how many those are. */
function settledInRuns({ runs, results }: { runs: Buffer | null; results: Buffer | null }): number | undefined {
  if (runs === null || results === null) return undefined
  // Amounts do not matter here, so neither does the token's scale.
  const lengths = decodeChainedBatch(hexOf(runs), 1n).runs.map(({ links }) => links.length)
  const bits = decodeResults(hexOf(results), lengths.length)
  return lengths.reduce((sum, length, run) => sum + (bits[run] === true ? length : 0), 0)
}

/** Clocks of two processes may disagree by as much. */
const clockSkewMillisMax = 24 * 3600_000

/** Oldest first: ids sort by time. A batch is broadcast after it was made and before it is final: no other days are opened. */
async function attemptsOf(
  database: Database,
  uuid: string,
  { createdAtMillis, finalizedAtMillis = Date.now() }: BatchSummary,
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

/** What was the app's when the batch was made is a row of its own; payees that it proved later are looked up. */
async function isVisibleTo(database: Database, uuid: string, appId: string): Promise<boolean> {
  const [batch] = await query(
    database,
    sql<{ intent_low: string; intent_high: string; is_own: boolean }>`
      select b.intent_low, b.intent_high,
        exists (select from batch_app a where a.app_id = ${appId} and a.batch_id = ${uuid}) as is_own
      from batch b where b.id = ${uuid}`,
  )
  if (batch === undefined || batch.is_own) return batch !== undefined
  const [payee] = await query(
    database,
    sql<{ is_own: boolean }>`
      select exists (
        select from intent i join payee_owner p on p.chain_id = i.chain_id and p.payee = i.payee and p.app_id = ${appId}
        where i.batch_id = ${uuid} and i.id between ${batch.intent_low} and ${batch.intent_high}
      ) as is_own`,
  )
  return payee?.is_own ?? false
}
