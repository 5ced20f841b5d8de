import { sql } from 'kysely'
import type { Database } from '../../adapters/postgres/database.ts'

/** Partitions for so many days before yesterday, a statement each: all in one would meet the statement timeout. */
export async function makeOlderDays(database: Database, count: number): Promise<void> {
  for (let ago = 2; ago < count + 2; ago++) {
    await sql`select ensure_day_partition((now() at time zone 'utc')::date - ${ago}::integer)`.execute(database)
  }
}
