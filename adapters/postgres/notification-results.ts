import { sql } from 'kysely'
import type { TriedDelivery } from '../../core/ports/notification.ts'
import { failingSecondsMax } from '../../core/webhook.ts'
import { uuidOfOwn } from './codec.ts'
import { retryContention } from './contention.ts'
import { type Database, type DbTransaction, inTransaction, query } from './database.ts'
import { isRecent } from './delivery-span.ts'

type Result = {
  readonly id: string
  readonly endpoint: string
  readonly url: string
  readonly attempt: number
  readonly is_success: boolean
  readonly is_dead: boolean
  readonly is_gone: boolean
  readonly after_millis: number
  readonly status: number | null
  readonly error: string | null
}
/** A pair of endpoint and payment whose next sequence may go now. */
type Done = { readonly endpoint_id: string; readonly intent_id: string | null; readonly sequence: number | null }

export async function settle(database: Database, tried: readonly TriedDelivery[]): Promise<void> {
  const results = tried.map(resultOf)
  // Sets of two processes may touch the same rows in another order.
  await retryContention(() =>
    inTransaction(database, async (tx) => {
      const delivered = await markDelivered(tx, results)
      const failed = await markFailed(tx, results)
      await wakeNext(tx, [...delivered, ...failed.filter(({ state }) => state === 'dead')])
      const failedIds = new Set(failed.map(({ id }) => id))
      await markEndpoints(
        tx,
        results.filter(({ id, is_success }) => is_success || failedIds.has(id)),
      )
    }),
  )
}

/** Claimed, and never posted: says nothing about the endpoint. If the process dies before, the lease brings it here again. */
export async function bury(
  database: Database,
  claimed: readonly { readonly id: string; readonly attempts: number }[],
  error: string,
): Promise<void> {
  const held = claimed.map(({ id, attempts }) => ({ id, attempts }))
  await retryContention(() =>
    inTransaction(database, async (tx) => {
      const dead = await query(
        tx,
        sql<Done>`
          update webhook_delivery d set state = 'dead', claimed_at = null, last_error = ${error}
          from jsonb_to_recordset(${JSON.stringify(held)}::jsonb) as r(id uuid, attempts integer)
          where d.id = ${idsOf(held)} and d.id = r.id and d.state = 'open' and d.attempts = r.attempts
          returning d.endpoint_id, d.intent_id, d.sequence`,
      )
      await wakeNext(tx, dead)
    }),
  )
}

function resultOf({ id, endpointId, url, attempt, verdict }: TriedDelivery): Result {
  return {
    id: uuidOfOwn('wd', id),
    endpoint: uuidOfOwn('we', endpointId),
    url,
    attempt,
    is_success: verdict.outcome === 'delivered',
    is_dead: verdict.outcome === 'dead',
    is_gone: verdict.outcome !== 'delivered' && verdict.isGone,
    after_millis: verdict.outcome === 'retry' ? verdict.afterMillis : 0,
    status: verdict.status ?? null,
    error: verdict.outcome === 'delivered' ? null : verdict.error,
  }
}

const given = (results: readonly Result[]) => sql`
  jsonb_to_recordset(${JSON.stringify(results)}::jsonb) as r(id uuid, endpoint uuid, url text, attempt integer, is_success boolean,
    is_dead boolean, is_gone boolean, after_millis bigint, status integer, error text)`
const idsOf = (results: readonly Pick<Result, 'id'>[]) => sql`any(${results.map(({ id }) => id)}::uuid[])`

/** By whatever try: the endpoint has it. */
function markDelivered(tx: DbTransaction, results: readonly Result[]): Promise<readonly Done[]> {
  return query(
    tx,
    sql<Done>`
      update webhook_delivery d
      set state = 'delivered', delivered_at = now(), claimed_at = null, last_status = r.status, last_error = null
      from ${given(results)}
      where d.id = ${idsOf(results)} and d.id = r.id and r.is_success and d.state = 'open'
      returning d.endpoint_id, d.intent_id, d.sequence`,
  )
}

/** Only of the try that holds the claim. */
function markFailed(
  tx: DbTransaction,
  results: readonly Result[],
): Promise<readonly (Done & { readonly id: string; readonly state: 'open' | 'dead' })[]> {
  return query(
    tx,
    sql`
      update webhook_delivery d
      set state = case when r.is_dead then 'dead' else 'open' end, failures = d.failures + 1, claimed_at = null,
        due_at = now() + r.after_millis * interval '1 millisecond', last_status = r.status, last_error = r.error
      from ${given(results)}
      where d.id = ${idsOf(results)} and d.id = r.id and not r.is_success and d.state = 'open' and d.attempts = r.attempt
      returning d.id, d.endpoint_id, d.intent_id, d.sequence, d.state`,
  )
}

/** Later ones that were put off meanwhile; one that waits after a failure of its own goes on waiting. */
async function wakeNext(tx: DbTransaction, done: readonly Done[]): Promise<void> {
  const ofPayments = done.filter(({ intent_id }) => intent_id !== null)
  if (ofPayments.length === 0) return
  await sql`
    update webhook_delivery d set due_at = now()
    from jsonb_to_recordset(${JSON.stringify(ofPayments)}::jsonb) as r(endpoint_id uuid, intent_id uuid, sequence integer)
    where d.endpoint_id = r.endpoint_id and d.intent_id = r.intent_id and d.sequence > r.sequence and d.state = 'open'
      and d.claimed_at is null and d.failures = 0 and d.due_at > now() and ${isRecent()}`.execute(tx)
}

/**
 * One success ends a row of failures; 410, or a row of five days, ends the endpoint: as long as it has the URL that said so.
 * Written only where it changes something.
 */
async function markEndpoints(tx: DbTransaction, results: readonly Result[]): Promise<void> {
  if (results.length === 0) return
  await sql`
    with told as (
      select endpoint, url, bool_or(is_success) as is_success, bool_or(is_gone) as is_gone
      from ${given(results)} group by endpoint, url
    ), judged as (
      select e.id, t.is_success,
        case when e.disabled_since is not null then null when t.is_gone then 'gone'
          when not t.is_success and e.failing_since <= now() - ${failingSecondsMax} * interval '1 second' then 'failing' end as ending
      from webhook_endpoint e join told t on t.endpoint = e.id and t.url = e.url
      order by e.id for update of e
    )
    update webhook_endpoint e
    set failing_since = case when j.is_success then null else coalesce(e.failing_since, now()) end,
      disabled_reason = coalesce(j.ending, e.disabled_reason),
      disabled_since = case when j.ending is null then e.disabled_since else now() end
    from judged j
    where e.id = j.id and (j.ending is not null or j.is_success = (e.failing_since is not null))`.execute(tx)
}
