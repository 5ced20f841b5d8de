import { type RawBuilder, sql } from 'kysely'
import type { Address } from 'viem'
import type { ChainViewRecord } from '../../core/ports/accounts.ts'
import { bytes, hexOf } from './codec.ts'
import { type Database, type DbTransaction, query } from './database.ts'

/** What has been seen of a chain and what is final there; undefined before its first block. */
export function findChainView(
  database: Database | DbTransaction,
  chainId: number,
  vault: Address,
): Promise<ChainViewRecord | undefined> {
  return read(database, chainId, vault, sql``)
}

/** The same, locked until the DB transaction ends: only one walk along a chain writes at a time. */
export function lockChainView(
  tx: DbTransaction,
  chainId: number,
  vault: Address,
): Promise<ChainViewRecord | undefined> {
  return read(tx, chainId, vault, sql`for update`)
}

async function read(
  database: Database | DbTransaction,
  chainId: number,
  vault: Address,
  lock: RawBuilder<unknown>,
): Promise<ChainViewRecord | undefined> {
  type Row = {
    head_number: number
    head_hash: Buffer
    head_at: number
    finalized_number: number
    finalized_hash: Buffer
    finalized_at: number
    is_paused: boolean
    observed_at: Date
  }
  const [row] = await query(
    database,
    sql<Row>`
      select head_number, head_hash, head_at, finalized_number, finalized_hash, finalized_at, is_paused, observed_at
      from chain_view where chain_id = ${chainId} and vault = ${bytes(vault)} ${lock}`,
  )
  if (row === undefined) return undefined
  return {
    headNumber: BigInt(row.head_number),
    headHash: hexOf(row.head_hash),
    headAt: BigInt(row.head_at),
    finalizedNumber: BigInt(row.finalized_number),
    finalizedHash: hexOf(row.finalized_hash),
    finalizedAt: BigInt(row.finalized_at),
    isPaused: row.is_paused,
    observedAtMillis: row.observed_at.getTime(),
  }
}
