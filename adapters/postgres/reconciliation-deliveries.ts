import { type RawBuilder, sql } from 'kysely'
import type { DeliveryFacts, EventForEndpoint, Overdue } from '../../core/obligations.ts'
import type { VaultKey } from '../../core/ports/reconciliation.ts'
import { bytes, idOf, uuidAt, uuidOfOwn } from './codec.ts'
import { type Database, query } from './database.ts'

const dayMillis = 24 * 3600_000
/** Clocks of the database and of ids that it did not make may disagree by as much. */
const clockSkewMillisMax = dayMillis
/** An endpoint that was made, changed or deleted that close to an event may have been told of it or not: both are right. */
const doubtSeconds = 60
/** An endpoint's overdue deliveries are counted up to here: beyond it, one more is no news. */
const deliveryCountMax = 100
/** Dead letters are looked for this far back. */
const overdueDaysMax = 30

type Row = { readonly intent_id: string; readonly sequence: number; readonly endpoint_id: string }
const eventOf = (row: Row): EventForEndpoint => ({
  intentId: idOf('pi', row.intent_id),
  sequence: row.sequence,
  endpointId: idOf('we', row.endpoint_id),
})

/** Only what has no counterpart: what both sides have is compared here, where it lies. */
export async function deliveryFacts(database: Database, intentIds: readonly string[]): Promise<DeliveryFacts> {
  const ids = intentIds.map((id) => uuidOfOwn('pi', id)).toSorted()
  const [low, high] = [ids[0], ids.at(-1)]
  if (low === undefined || high === undefined) return { owed: [], made: [] }
  const events = sql`intent_event e where e.intent_id = any(${ids}::uuid[]) and e.intent_id between ${low} and ${high}`
  const [span] = await query(
    database,
    sql<{ first: Date | null; last: Date | null }>`select min(e.at) as first, max(e.at) as last from ${events}`,
  )
  if (!span?.first || !span.last) return { owed: [], made: [] }
  const deliveries = sql`
    webhook_delivery d where d.intent_id = any(${ids}::uuid[]) and d.message_id = d.id
      and d.id >= ${uuidAt(span.first.getTime() - clockSkewMillisMax)}
      and d.id < ${uuidAt(span.last.getTime() + clockSkewMillisMax)}`
  return {
    owed: (await query(database, missing(events, deliveries))).map(eventOf),
    made: (await query(database, unreasoned(events, deliveries))).map(eventOf),
  }
}

const doubt = sql`${doubtSeconds} * interval '1 second'`

function missing(events: RawBuilder<unknown>, deliveries: RawBuilder<unknown>): RawBuilder<Row> {
  return sql<Row>`
    select e.intent_id, e.sequence, w.id as endpoint_id
    from (select * from ${events}) as e
      join webhook_endpoint w on w.app_id = any(array[e.app_id, e.payee_app_id])
        and (w.states is null or e.state = any(w.states))
        and greatest(w.created_at, w.states_since) < e.at - ${doubt}
        and (w.deleted_at is null or w.deleted_at > e.at + ${doubt})
    except select d.intent_id, d.sequence, d.endpoint_id from ${deliveries}`
}

function unreasoned(events: RawBuilder<unknown>, deliveries: RawBuilder<unknown>): RawBuilder<Row> {
  return sql<Row>`
    select d.intent_id, d.sequence, d.endpoint_id from ${deliveries}
    except
    select e.intent_id, e.sequence, w.id from (select * from ${events}) as e
      join webhook_endpoint w on w.app_id = any(array[e.app_id, e.payee_app_id])`
}

/**
 * Endpoints that have not taken deliveries about payments of this vault, with how many these are. What a replay delivered
 * is fulfilled. One endpoint is one fact, however much it lets pile up: it must not hide what else is overdue.
 */
export async function overdueEndpoints(
  database: Database,
  { chainId, vault }: VaultKey,
  olderThanHours: number,
  countMax: number,
): Promise<readonly Overdue[]> {
  const recent = uuidAt(Date.now() - overdueDaysMax * dayMillis)
  const old = uuidAt(Date.now() - olderThanHours * 3600_000)
  const waiting = sql`d.state in ('open', 'dead') and d.intent_id is not null and d.message_id = d.id
    and d.id >= ${recent} and d.id < ${old}`
  // Written into the next statement, so that it opens the days of these payments and no other.
  const [span] = await query(
    database,
    sql<{ low: string | null; high: string | null }>`
      select (select d.intent_id from webhook_delivery d where ${waiting} order by d.intent_id limit 1) as low,
        (select d.intent_id from webhook_delivery d where ${waiting} order by d.intent_id desc limit 1) as high`,
  )
  if (!span?.low || !span.high) return []
  const found = await query(
    database,
    sql<{ endpoint_id: string; count: number }>`
      select d.endpoint_id, count(*) as count
      from webhook_delivery d
        join intent i on i.id = d.intent_id and i.id between ${span.low} and ${span.high}
          and i.chain_id = ${chainId} and i.vault = ${bytes(vault)}
      where ${waiting} and not exists (
        select from webhook_delivery r
        where r.intent_id = d.intent_id and r.message_id = d.id and r.state = 'delivered' and r.id >= ${recent})
      group by d.endpoint_id order by d.endpoint_id limit ${countMax}`,
  )
  return found.map(({ endpoint_id, count }) => ({
    ...{ what: 'endpoint', id: idOf('we', endpoint_id) },
    ...{ count: Math.min(count, deliveryCountMax), isMore: count > deliveryCountMax },
  }))
}
