import { type RawBuilder, sql } from 'kysely'
import type { Page, PageRequest } from '../../core/ports/page.ts'
import { firstUuidAt, type IdPrefix, idOf, millisOf, uuidAt, uuidOfOwn } from './codec.ts'
import { type Database, query } from './database.ts'

const dayMillis = 24 * 3600_000
/** By how much the clock that made an id may differ from the database's, which wrote `created_at`. */
const clockSkewMillisMax = 3600_000

/** What one page may cost. */
const limitsDefault = {
  /** Days that are looked into, which is day partitions that are opened. */
  daysMax: 31,
  /** Rows that are looked at, by whatever index serves them. */
  scannedMax: 4_000,
  /** Rows of one statement. */
  chunkMax: 200,
}
export type PageLimits = Partial<typeof limitsDefault>

/** One partition's part of a list. Ids as UUIDs, which sort as text as they do as bytes. */
export type DayPart = {
  /** Inclusive. */
  readonly low: string
  /** Exclusive. */
  readonly high: string
  /** Only what comes after this row in the list's order; undefined: all. It may be of a later day, or be no row at all. */
  readonly after: string | undefined
  readonly countMax: number
}
/** A row that was looked at. */
type Scanned = { readonly id: string; readonly isWanted: boolean }

/**
 * Walks a list newest first and day by day, until the page is full or its bounds are met; then `next` goes on from there.
 * @param table range-partitioned by day; only days that exist are looked into
 * @param scan at most `countMax` rows of the day in the list's order, from one index; whether or not they are wanted
 * @param span unix milliseconds in which ids can lie, if something is known of that
 */
export async function readPage(
  database: Database,
  {
    table,
    prefix,
    page,
    span = {},
    scan,
    limits = {},
  }: {
    readonly table: 'intent' | 'payment_order' | 'batch'
    readonly prefix: IdPrefix
    readonly page: PageRequest
    readonly span?: Span
    readonly scan: (part: DayPart) => Promise<readonly Scanned[]>
    readonly limits?: PageLimits
  },
): Promise<Page<string>> {
  const { daysMax, scannedMax, chunkMax } = { ...limitsDefault, ...limits }
  const start = page.after === undefined ? undefined : uuidOfOwn(prefix, page.after)
  const days = await daysOf(database, table, daysMax + 1, { ...spanOf(page, span), before: start })
  const wanted: string[] = []
  let scanned = 0
  let after = start

  const pageTo = (next: string | undefined): Page<string> => ({
    items: wanted.slice(0, page.limit).map((id) => idOf(prefix, id)),
    next: next === undefined ? undefined : idOf(prefix, next),
  })
  for (const low of days.slice(0, daysMax)) {
    const high = uuidAt(millisOf(low) + dayMillis)
    for (let isMore = true; isMore; ) {
      const rows = await scan({ low, high, after, countMax: chunkMax })
      for (const { id, isWanted } of rows) {
        if (isWanted) wanted.push(id)
        // One more than asked for shows that there is a next page, which begins after the last one shown.
        if (wanted.length > page.limit) return pageTo(wanted[page.limit - 1])
        after = id
        if (++scanned >= scannedMax) return pageTo(after)
      }
      isMore = rows.length === chunkMax
    }
  }
  const last = days.length > daysMax ? days[daysMax - 1] : undefined
  return pageTo(last === undefined ? undefined : firstUuidAt(millisOf(last)))
}

export type Span = { readonly fromMillis?: number | undefined; readonly toMillis?: number | undefined }

/** Where ids of rows can lie that were stored in the page's times, and in `within`. */
export function spanOf({ createdFromMillis, createdToMillis }: PageRequest, within: Span): Span {
  const from = [createdFromMillis, within.fromMillis].filter((millis) => millis !== undefined)
  const to = [createdToMillis, within.toMillis].filter((millis) => millis !== undefined)
  return {
    fromMillis: from.length === 0 ? undefined : Math.max(...from) - clockSkewMillisMax,
    toMillis: to.length === 0 ? undefined : Math.min(...to) + clockSkewMillisMax,
  }
}

/** The part of a day in which ids lie that sort by time, as the list does. */
export function rangeOf({ low, high, after }: DayPart, { fromMillis, toMillis }: Span): { low: string; high: string } {
  const lows = [low, ...(fromMillis === undefined ? [] : [uuidAt(fromMillis)])].toSorted()
  const highs = [high, ...(after === undefined ? [] : [after]), ...(toMillis === undefined ? [] : [uuidAt(toMillis)])]
  return { low: lows.at(-1) ?? low, high: highs.toSorted()[0] ?? high }
}

/** The half-open span of `created_at` that the page asks for. */
export function isCreatedIn({ createdFromMillis, createdToMillis }: PageRequest): RawBuilder<unknown> {
  return allOf([
    createdFromMillis === undefined ? undefined : sql`created_at >= to_timestamp(${createdFromMillis / 1000})`,
    createdToMillis === undefined ? undefined : sql`created_at < to_timestamp(${createdToMillis / 1000})`,
  ])
}

/** All of the conditions that are given. */
export function allOf(conditions: readonly (RawBuilder<unknown> | undefined)[]): RawBuilder<unknown> {
  const given = conditions.filter((condition) => condition !== undefined)
  return given.length === 0 ? sql`true` : sql`(${sql.join(given, sql` and `)})`
}

/** The lowest ids of the newest days that have a partition and lie in the span, newest first. Reads the catalog only. */
async function daysOf(
  database: Database,
  table: string,
  countMax: number,
  { fromMillis, toMillis, before }: Span & { readonly before: string | undefined },
): Promise<readonly string[]> {
  const name = (millis: number) => new Date(millis).toISOString().slice(0, 10).replaceAll('-', '')
  // The lowest id of a day stands for the end of the day before it.
  const beforeMillis =
    before === undefined ? undefined : millisOf(before) - (before === uuidAt(millisOf(before)) ? 1 : 0)
  const to = [toMillis, beforeMillis].filter((millis) => millis !== undefined)
  const rows = await query(
    database,
    sql<{ day: string }>`
      select right(c.relname, 8) as day from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = ${table}::regclass
        and right(c.relname, 8) between ${fromMillis === undefined ? '' : name(fromMillis)}
          and ${to.length === 0 ? '99999999' : name(Math.min(...to))}
      order by 1 desc limit ${countMax}`,
  )
  return rows.map(({ day }) =>
    uuidAt(Date.UTC(Number(day.slice(0, 4)), Number(day.slice(4, 6)) - 1, Number(day.slice(6)))),
  )
}
