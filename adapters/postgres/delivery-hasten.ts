import { type RawBuilder, sql } from 'kysely'
import type { Database } from './database.ts'
import { isRecent } from './delivery-span.ts'

/** Deliveries that one call brings forward; the rest is tried as it is due. */
const countMax = 10_000

/**
 * Makes waiting deliveries `d` due now. What a process has under way stays with it: its row is locked or claimed, and is
 * skipped. Order per payment holds, since a claim puts off what is not its payment's turn.
 */
export async function hasten(database: Database, which: RawBuilder<unknown>): Promise<void> {
  await sql`
    update webhook_delivery d set due_at = now()
    where ${isRecent()} and d.id in (
      select d.id from webhook_delivery d
      where ${isRecent()} and d.state = 'open' and d.claimed_at is null and d.due_at > now() and ${which}
      order by d.due_at limit ${countMax} for update skip locked)`.execute(database)
}
