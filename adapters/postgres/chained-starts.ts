import { sql } from 'kysely'
import type { Address } from 'viem'
import type { ChainStart } from '../../core/protocol/settlement.ts'
import { loadSpan } from './batch-span.ts'
import { addressOf, hexOf, uuidOfOwn } from './codec.ts'
import { type Database, inTransaction, query } from './database.ts'

/** By payer: what the first payment of its run in a final batch continued. Refused runs are no longer the batch's. */
export async function chainedStarts(database: Database, batchId: string): Promise<ReadonlyMap<Address, ChainStart>> {
  type Row = { payer: Buffer; nonce: number; previous: Buffer }
  const id = uuidOfOwn('sb', batchId)
  const found = await inTransaction(database, async (tx) => {
    const { low, high } = await loadSpan(tx, [id])
    return query(
      tx,
      sql<Row>`
        select distinct on (payer) payer, nonce, previous from intent
        where batch_id = ${id} and id between ${low} and ${high} and mode = 'chained'
        order by payer, nonce`,
    )
  })
  return new Map(
    found.map(({ payer, nonce, previous }) => [
      addressOf(payer),
      { sequence: BigInt(nonce) - 1n, head: hexOf(previous) },
    ]),
  )
}
