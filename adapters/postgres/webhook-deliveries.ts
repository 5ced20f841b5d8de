import { sql } from 'kysely'
import type { Backlog, DeliveryState, WebhookDeliveries, WebhookDelivery } from '../../core/ports/webhook-deliveries.ts'
import { testEventType } from '../../core/protocol/webhook.ts'
import { idOf, newId, uuidAt, uuidOf, uuidOfOwn } from './codec.ts'
import { type Database, query } from './database.ts'
import { hasten } from './delivery-hasten.ts'
import { isRecent } from './delivery-span.ts'
import { loadPaymentFacts } from './payment-facts.ts'

const dayMillis = 24 * 3600_000
/** A list looks back so far. */
const listDaysMax = 30
/** And so many days at a time: what it has found it need not look for further back, and each day costs locks. */
const listDaysStep = 5
/** Counting further would tell operators nothing new. */
const countMax = 10_000

export function createWebhookDeliveries(database: Database): WebhookDeliveries {
  return {
    list: (filter) => list(database, filter),
    replay: (appId, id) => replay(database, appId, id),
    test: (appId, endpointId) => test(database, appId, endpointId),
    backlog: () => backlog(database),
  }
}

type Row = {
  readonly id: string
  readonly message_id: string
  readonly endpoint_id: string
  readonly app_id: string
  readonly intent_id: string | null
  readonly sequence: number | null
  readonly type: string
  readonly state: DeliveryState
  readonly attempts: number
  readonly due_at: Date
  readonly last_status: number | null
  readonly last_error: string | null
  readonly delivered_at: Date | null
  readonly created_at: Date
}

function deliveryOf(row: Row): WebhookDelivery {
  return {
    id: idOf('wd', row.id),
    webhookId: idOf('wd', row.message_id),
    endpointId: idOf('we', row.endpoint_id),
    about:
      row.intent_id === null || row.sequence === null
        ? undefined
        : { intentId: idOf('pi', row.intent_id), sequence: row.sequence },
    type: row.type,
    state: row.state,
    attempts: row.attempts,
    dueAtMillis: row.state === 'open' ? row.due_at.getTime() : undefined,
    lastStatus: row.last_status ?? undefined,
    lastError: row.last_error ?? undefined,
    deliveredAtMillis: row.delivered_at?.getTime(),
    createdAtMillis: row.created_at.getTime(),
  }
}

type Filter = Parameters<WebhookDeliveries['list']>[0]

/** Some days at a time, from the newest back: a full page comes from the first one or two. */
async function list(database: Database, filter: Filter): Promise<readonly WebhookDelivery[]> {
  const before = filter.before === undefined ? undefined : uuidOf('wd', filter.before)
  const endpoint = filter.endpointId === undefined ? undefined : uuidOf('we', filter.endpointId)
  const intent = filter.intentId === undefined ? undefined : uuidOf('pi', filter.intentId)
  const isHopeless =
    (filter.endpointId !== undefined && endpoint === undefined) ||
    (filter.intentId !== undefined && intent === undefined)
  if (isHopeless || (filter.before !== undefined && before === undefined)) return []

  const nowMillis = Date.now()
  const found: Row[] = []
  let high = before ?? uuidAt(nowMillis + dayMillis)
  for (let days = listDaysStep; days <= listDaysMax && found.length < filter.countMax; days += listDaysStep) {
    const low = uuidAt(nowMillis - days * dayMillis)
    if (low >= high) continue
    const span = { low, high, endpoint, intent, state: filter.state, limit: filter.countMax - found.length }
    found.push(...(await listSpan(database, filter.appId, span)))
    high = low
  }
  return found.map(deliveryOf)
}

type Span = {
  readonly low: string
  readonly high: string
  readonly endpoint: string | undefined
  readonly intent: string | undefined
  readonly state: DeliveryState | undefined
  readonly limit: number
}

function listSpan(
  database: Database,
  appId: string,
  { low, high, endpoint, intent, state, limit }: Span,
): Promise<readonly Row[]> {
  const only = [
    endpoint === undefined ? undefined : sql`and endpoint_id = ${endpoint}`,
    intent === undefined ? undefined : sql`and intent_id = ${intent}`,
    state === undefined ? undefined : sql`and state = ${sql.lit(state)}`,
  ].filter((part) => part !== undefined)
  return query(
    database,
    sql<Row>`
      select * from webhook_delivery
      where app_id = ${appId} and id >= ${low} and id < ${high} ${sql.join(only, sql` `)}
      order by id desc limit ${limit}`,
  )
}

async function find(database: Database, uuid: string, appId: string): Promise<Row | undefined> {
  const [row] = await query(database, sql<Row>`select * from webhook_delivery where id = ${uuid} and app_id = ${appId}`)
  return row
}

/** A new row, so that what happened stays on record, and so that old days are never written again. */
async function replay(
  database: Database,
  appId: string,
  id: string,
): Promise<WebhookDelivery | 'endpoint_deleted' | 'event_gone' | undefined> {
  const uuid = uuidOf('wd', id)
  const original = uuid === undefined ? undefined : await find(database, uuid, appId)
  if (original === undefined) return undefined
  const open = original.state === 'open' ? original : await findOpen(database, original)
  if (open !== undefined) {
    const { endpoint_id, intent_id, sequence } = open
    // Those before it go first, so they are due as well.
    const upToIt =
      intent_id === null ? sql`d.id = ${open.id}` : sql`d.intent_id = ${intent_id} and d.sequence <= ${sequence}`
    await hasten(database, sql`d.endpoint_id = ${endpoint_id} and ${upToIt}`)
    return deliveryOf((await find(database, open.id, appId)) ?? open)
  }
  if (!(await hasEvent(database, original))) return 'event_gone'
  const [row] = await query(
    database,
    sql<Row>`
      insert into webhook_delivery (id, message_id, endpoint_id, app_id, intent_id, sequence, type)
      select ${uuidOfOwn('wd', newId('wd'))}::uuid, ${original.message_id}::uuid, id, app_id, ${original.intent_id}::uuid,
        ${original.sequence}::integer, ${original.type}
      from webhook_endpoint where id = ${original.endpoint_id} and deleted_at is null
      returning *`,
  )
  return row === undefined ? 'endpoint_deleted' : deliveryOf(row)
}

/** A test event is made up afresh. */
async function hasEvent(database: Database, { id, intent_id, sequence, app_id }: Row): Promise<boolean> {
  if (intent_id === null || sequence === null) return true
  const facts = await loadPaymentFacts(database, [{ id, intentId: intent_id, sequence, appId: app_id }])
  return facts.has(id)
}

async function findOpen(
  database: Database,
  {
    endpoint_id,
    message_id,
    intent_id,
    sequence,
  }: Pick<Row, 'endpoint_id' | 'intent_id' | 'sequence'> & {
    readonly message_id?: string
  },
): Promise<Row | undefined> {
  const about =
    intent_id === null ? sql`d.intent_id is null` : sql`d.intent_id = ${intent_id} and d.sequence = ${sequence}`
  const [row] = await query(
    database,
    sql<Row>`
      select * from webhook_delivery d
      where d.endpoint_id = ${endpoint_id} and ${about} and d.state = 'open' and ${isRecent()}
        and d.message_id = ${message_id ?? sql`d.message_id`}
      limit 1`,
  )
  return row
}

async function test(database: Database, appId: string, endpointId: string): Promise<WebhookDelivery | undefined> {
  const uuid = uuidOf('we', endpointId)
  if (uuid === undefined) return undefined
  const id = uuidOfOwn('wd', newId('wd'))
  const open = await findOpen(database, { endpoint_id: uuid, intent_id: null, sequence: null })
  if (open !== undefined && open.app_id === appId) return deliveryOf(open)
  const [row] = await query(
    database,
    sql<Row>`
      insert into webhook_delivery (id, message_id, endpoint_id, app_id, type)
      select ${id}::uuid, ${id}::uuid, e.id, e.app_id, ${testEventType}
      from webhook_endpoint e where e.id = ${uuid} and e.app_id = ${appId} and e.deleted_at is null
      returning *`,
  )
  return row && deliveryOf(row)
}

async function backlog(database: Database): Promise<Backlog> {
  const [row] = await query(
    database,
    sql<{ open_count: number; dead_count: number; overdue_seconds: number }>`
      select
        (select count(*) from (
          select from webhook_delivery d where d.state = 'open' and ${isRecent()} limit ${countMax}) as o) as open_count,
        (select count(*) from (
          select from webhook_delivery d where d.state = 'dead' and ${isRecent()} limit ${countMax}) as o) as dead_count,
        greatest(0, coalesce((
          select extract(epoch from now() - min(o.due_at))
          from webhook_endpoint e cross join lateral (
            select d.due_at from webhook_delivery d
            where d.endpoint_id = e.id and d.state = 'open' and ${isRecent()}
            order by d.due_at limit 1) as o
          where e.disabled_since is null and e.deleted_at is null), 0))::float8 as overdue_seconds`,
  )
  return {
    openCount: row?.open_count ?? 0,
    deadCount: row?.dead_count ?? 0,
    overdueSeconds: row?.overdue_seconds ?? 0,
  }
}
