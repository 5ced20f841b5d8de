import { type RawBuilder, sql } from 'kysely'
import type { ClaimedDelivery, Notification } from '../../core/ports/notification.ts'
import { openSecondsMax } from '../../core/webhook.ts'
import { idOf, uuidAt, uuidOfOwn } from './codec.ts'
import { type Database, query } from './database.ts'
import { isRecent } from './delivery-span.ts'
import { bury, settle } from './notification-results.ts'
import { loadPaymentFacts } from './payment-facts.ts'

/** While the lower sequence is under way, a later one is looked at again after this, or when that one is done. */
const putOffMillis = 1_000
/** Obligations ended by one statement. */
const endCountMax = 1_000

export function createNotification(database: Database): Notification {
  return {
    claim: (room) => claim(database, room),
    settle: (tried) => settle(database, tried),
    endOverdue: () => endOverdue(database),
  }
}

type Room = Parameters<Notification['claim']>[0]
type ClaimedRow = {
  readonly put_off_count: number
  readonly id: string
  readonly message_id: string
  readonly endpoint_id: string
  readonly intent_id: string | null
  readonly sequence: number | null
  readonly attempts: number
  readonly failures: number
  readonly created_at: Date
  readonly app_id: string
  readonly url: string
  readonly has_hmac: boolean
  readonly hmac_version: number
  readonly is_former_valid: boolean
  readonly is_failing: boolean
}

async function claim(
  database: Database,
  room: Room,
): Promise<{ readonly setAsideCount: number; readonly deliveries: readonly ClaimedDelivery[] }> {
  const rows = await query(database, claimStatement(room))
  const claimed = rows.filter(({ id }) => id !== null)
  const facts = await loadPaymentFacts(
    database,
    claimed.flatMap(({ id, intent_id, sequence, app_id }) =>
      intent_id === null || sequence === null ? [] : [{ id, intentId: intent_id, sequence, appId: app_id }],
    ),
  )
  const isGone = (row: ClaimedRow) => row.intent_id !== null && !facts.has(row.id)
  const gone = claimed.filter(isGone)
  if (gone.length > 0) await bury(database, gone, 'event_gone')
  const deliveries = claimed
    .filter((row) => !isGone(row))
    .map((row): ClaimedDelivery => {
      const payment = facts.get(row.id)
      const versions = row.is_former_valid ? [row.hmac_version, row.hmac_version - 1] : [row.hmac_version]
      return {
        id: idOf('wd', row.id),
        webhookId: idOf('wd', row.message_id),
        endpointId: idOf('we', row.endpoint_id),
        appId: row.app_id,
        url: row.url,
        hmacVersions: row.has_hmac ? versions : [],
        attempt: row.attempts,
        failures: row.failures,
        isFailing: row.is_failing,
        event:
          payment === undefined
            ? { kind: 'test', at: row.created_at.toISOString() }
            : { kind: 'payment', facts: payment },
      }
    })
  return { setAsideCount: (rows[0]?.put_off_count ?? 0) + gone.length, deliveries }
}

/**
 * Row locks with `skip locked` keep several processes apart; the lease (due_at) keeps them apart once this has committed.
 * Turns make it fair: the first of each app comes before the second of any, and so do the endpoints of one app. What is
 * under way counts as a turn taken: else who answers slowly would get each place that it gives back, for the oldest of its
 * own backlog. A later sequence whose lower one is open is put off until that one is due, so that a backlog is not looked at
 * again and again.
 */
const claimStatement = (room: Room) => sql<ClaimedRow>`
  with under_way as (
    select * from jsonb_to_recordset(${JSON.stringify(
      [...room.underWay].map(([id, count]) => ({ endpoint: uuidOfOwn('we', id), count })),
    )}::jsonb) as u(endpoint uuid, count integer)
  ), under_way_of_app as (
    select e.app_id, sum(u.count) as count from under_way u join webhook_endpoint e on e.id = u.endpoint group by e.app_id
  ), due as (
    select d.*, e.app_id, e.failing_since is not null as is_failing,
      row_number() over (partition by d.endpoint_id order by d.due_at, d.id) + coalesce(u.count, 0) as turn
    from webhook_endpoint e left join under_way u on u.endpoint = e.id
      cross join lateral (
        select d.id, d.endpoint_id, d.intent_id, d.sequence, d.due_at from webhook_delivery d
        where d.endpoint_id = e.id and d.state = 'open' and d.due_at <= now() and ${isRecent()}
        order by d.due_at, d.id
        limit greatest(0, case when e.failing_since is null then ${room.perEndpointMax}::integer
          else ${room.perFailingEndpointMax}::integer end - coalesce(u.count, 0))
        for update skip locked
      ) as d
    where e.disabled_since is null and e.deleted_at is null
  ), blocked as (
    select w.id, greatest(f.due_at, now() + ${putOffMillis} * interval '1 millisecond') as due_at, f.claimed_at
    from due w cross join lateral (
      select d.due_at, d.claimed_at from webhook_delivery d
      where d.endpoint_id = w.endpoint_id and d.intent_id = w.intent_id and d.sequence < w.sequence and d.state = 'open'
        and ${isRecent()}
      order by d.sequence limit 1
    ) as f
  ), put_off as (
    update webhook_delivery d
    set due_at = case when b.claimed_at is null then b.due_at else now() + ${putOffMillis} * interval '1 millisecond' end
    from blocked b where d.id = b.id and ${isRecent()}
    returning 1
  ), free as (
    select w.id, w.is_failing, w.turn, w.due_at,
      row_number() over (partition by w.app_id order by w.is_failing, w.turn, w.due_at) + coalesce(a.count, 0) as app_turn
    from due w left join under_way_of_app a on a.app_id = w.app_id
    where w.id not in (select id from blocked)
  ), placed as (
    select id, is_failing, row_number() over (order by is_failing, app_turn, turn, due_at) as place,
      row_number() over (partition by is_failing order by app_turn, turn, due_at) as own_place
    from free where app_turn <= ${room.perAppMax}
  ), claimed as (
    update webhook_delivery d
    set attempts = d.attempts + 1, claimed_at = now(), due_at = now() + ${room.leaseMillis} * interval '1 millisecond'
    from placed f
    where d.id = f.id and ${isRecent()} and f.place <= ${room.countMax}
      and (not f.is_failing or f.own_place <= ${room.failingCountMax})
    returning d.*, f.is_failing
  )
  select (select count(*) from put_off) as put_off_count, c.*, e.url, e.has_hmac, e.hmac_version,
    coalesce(e.former_hmac_until > now(), false) as is_former_valid
  from (select) as always
    left join claimed c on true
    left join webhook_endpoint e on e.id = c.endpoint_id`

/** At most a thousand at a time: those too old on any day, and recent ones of endpoints that were deleted of late. */
async function endOverdue(database: Database): Promise<number> {
  const tooOld = await end(
    database,
    sql`
      select d.id from webhook_delivery d
      where d.state = 'open' and d.id < ${uuidAt(Date.now() - openSecondsMax * 1000)}`,
    'too_old',
  )
  const deleted = await end(
    database,
    sql`
      select d.id from webhook_endpoint e join webhook_delivery d on d.endpoint_id = e.id
      where e.deleted_at > now() - interval '8 days' and d.state = 'open' and ${isRecent()}`,
    'endpoint_deleted',
  )
  return tooOld + deleted
}

async function end(database: Database, which: RawBuilder<unknown>, error: string): Promise<number> {
  const ended = await query(
    database,
    sql`
      update webhook_delivery set state = 'dead', claimed_at = null, last_error = ${error}
      where id in (${which} limit ${endCountMax} for update of d skip locked) and state = 'open'
      returning id`,
  )
  return ended.length
}
