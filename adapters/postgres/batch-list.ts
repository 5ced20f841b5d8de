import { sql } from 'kysely'
import type { BatchQuery, BatchSummary } from '../../core/ports/batches.ts'
import type { Page } from '../../core/ports/page.ts'
import { uuidOfOwn } from './codec.ts'
import { type Database, query } from './database.ts'
import { allOf, type DayPart, isCreatedIn, type PageLimits, rangeOf, readPage, spanOf } from './page.ts'

/** @param load batches that exist, newest first */
export async function listBatches(
  database: Database,
  wanted: BatchQuery,
  load: (database: Database, uuids: readonly string[]) => Promise<readonly BatchSummary[]>,
  limits?: PageLimits,
): Promise<Page<BatchSummary>> {
  const page = await readPage(database, {
    table: 'batch',
    prefix: 'sb',
    page: wanted,
    scan: (part) => scan(database, wanted, part),
    ...(limits === undefined ? {} : { limits }),
  })
  const items = await load(
    database,
    page.items.map((id) => uuidOfOwn('sb', id)),
  )
  return { ...page, items: items.filter(({ state }) => wanted.state === undefined || state === wanted.state) }
}

async function scan(database: Database, wanted: BatchQuery, part: DayPart) {
  const { visibleTo, chainId, state } = wanted
  const { low, high } = rangeOf(part, spanOf(wanted, {}))
  const ids =
    visibleTo === undefined
      ? sql`select id from batch where id >= ${low} and id < ${high} order by id desc limit ${part.countMax}`
      : sql`
        select batch_id as id from batch_app
        where app_id = ${visibleTo} and batch_id >= ${low} and batch_id < ${high}
        order by batch_id desc limit ${part.countMax}`
  const rows = await query(
    database,
    sql<{ id: string; is_match: boolean }>`
      select b.id, ${allOf([
        isCreatedIn(wanted),
        chainId === undefined ? undefined : sql`b.chain_id = ${chainId}`,
        state === undefined ? undefined : sql`b.state = ${state}`,
      ])} as is_match
      from (${ids}) as s join batch b on b.id = s.id and b.id >= ${low} and b.id < ${high}
      order by b.id desc`,
  )
  return rows.map(({ id, is_match }) => ({ id, isWanted: is_match }))
}
