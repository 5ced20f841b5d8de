import { sql } from 'kysely'
import { type DbTransaction, query } from './database.ts'

/**
 * Batches with the lowest and highest id of their payments. Ids sort by time, so the two bounds let a statement touch
 * the day partitions of these payments instead of all history.
 */
export type BatchSpan = { readonly ids: readonly string[]; readonly low: string; readonly high: string }
type Row = { readonly id: string; readonly intent_low: string; readonly intent_high: string }

/** UUIDs in their canonical text sort as their bytes do. */
export function spanOf(rows: readonly Row[]): BatchSpan {
  const lows = rows.map((row) => row.intent_low).toSorted()
  const highs = rows.map((row) => row.intent_high).toSorted()
  const none = '00000000-0000-0000-0000-000000000000'
  return { ids: rows.map(({ id }) => id), low: lows[0] ?? none, high: highs.at(-1) ?? none }
}

export async function loadSpan(tx: DbTransaction, ids: readonly string[]): Promise<BatchSpan> {
  return spanOf(await query(tx, sql<Row>`select id, intent_low, intent_high from batch where id = any(${ids}::uuid[])`))
}
