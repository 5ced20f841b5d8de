import { type RawBuilder, sql } from 'kysely'
import type { IntentState } from '../../core/intent.ts'
import type { IntentQuery, IntentRecord } from '../../core/ports/intents.ts'
import type { Page } from '../../core/ports/page.ts'
import { bytes, millisOf, uuidOf, uuidOfOwn } from './codec.ts'
import { type Database, query } from './database.ts'
import { type BatchStateRow, type StateRow, wireStateOf } from './intent-row.ts'
import { allOf, type DayPart, isCreatedIn, type PageLimits, rangeOf, readPage, type Span, spanOf } from './page.ts'

/** Where a list is read from: the index that has the fewest rows for what is asked. */
type Source = {
  readonly span: Span
  /** Ids of `countMax` payments at most, the highest first. */
  readonly ids: (range: { low: string; high: string }, countMax: number) => RawBuilder<unknown>
}

/** @param load full records of ids that exist, newest first */
export async function listIntents(
  database: Database,
  wanted: IntentQuery,
  load: (database: Database, uuids: readonly string[]) => Promise<readonly IntentRecord[]>,
  limits?: PageLimits,
): Promise<Page<IntentRecord>> {
  const source = await sourceOf(database, wanted)
  if (source === undefined) return { items: [], next: undefined }
  const page = await readPage(database, {
    table: 'intent',
    prefix: 'pi',
    page: wanted,
    span: source.span,
    scan: (part) => scan(database, wanted, source, part),
    ...(limits === undefined ? {} : { limits }),
  })
  const items = await load(
    database,
    page.items.map((id) => uuidOfOwn('pi', id)),
  )
  // What has moved on since it was found is in another state now, and shown as what it is only to those who ask for that.
  return { ...page, items: items.filter(({ state }) => wanted.state === undefined || state === wanted.state) }
}

/** Undefined if nothing can match: the order or the batch does not exist. */
async function sourceOf(database: Database, wanted: IntentQuery): Promise<Source | undefined> {
  if (wanted.batchId !== undefined) return ofBatch(database, wanted.batchId)
  if (wanted.orderId !== undefined) return ofOrder(database, wanted.orderId)
  if (wanted.payer !== undefined) return { span: {}, ids: where(sql`payer = ${bytes(wanted.payer)}`) }
  if (wanted.payee !== undefined) return { span: {}, ids: where(sql`payee = ${bytes(wanted.payee)}`) }
  if (wanted.visibleTo === undefined) return { span: {}, ids: where(sql`true`) }
  return { span: {}, ids: ofApp(wanted.visibleTo) }
}

const where =
  (condition: RawBuilder<unknown>): Source['ids'] =>
  ({ low, high }, countMax) =>
    sql`(select id from intent where ${condition} and id >= ${low} and id < ${high} order by id desc limit ${countMax})`

/** One walk through each index: the highest ids of all three are the highest of what the app may see. */
const ofApp =
  (appId: string): Source['ids'] =>
  (range, countMax) =>
    sql`(
    ${where(sql`app_id = ${appId}`)(range, countMax)}
    union ${where(sql`order_app_id = ${appId}`)(range, countMax)}
    union select i.id from payee_owner o cross join lateral ${where(sql`payee = o.payee`)(range, countMax)} i
      where o.app_id = ${appId}
    order by id desc limit ${countMax})`

async function ofBatch(database: Database, batchId: string): Promise<Source | undefined> {
  const uuid = uuidOf('sb', batchId)
  if (uuid === undefined) return undefined
  const [batch] = await query(
    database,
    sql<{ intent_low: string; intent_high: string }>`select intent_low, intent_high from batch where id = ${uuid}`,
  )
  const span = batch && { fromMillis: millisOf(batch.intent_low), toMillis: millisOf(batch.intent_high) }
  return span && { span, ids: where(sql`batch_id = ${uuid}`) }
}

/** An order has no index of its own to its payments: they go to its payee, while it is open. */
async function ofOrder(database: Database, orderId: string): Promise<Source | undefined> {
  const uuid = uuidOf('po', orderId)
  if (uuid === undefined) return undefined
  const [order] = await query(
    database,
    sql<{ payee: Buffer; created_at: Date; expires_at: number }>`
      select payee, created_at, expires_at from payment_order where id = ${uuid}`,
  )
  if (order === undefined) return undefined
  const span = { fromMillis: order.created_at.getTime(), toMillis: (order.expires_at + 1) * 1_000 }
  return { span, ids: where(sql`payee = ${order.payee}`) }
}

type Row = StateRow & { readonly id: string; readonly is_match: boolean }

async function scan(database: Database, wanted: IntentQuery, source: Source, part: DayPart) {
  const range = rangeOf(part, spanOf(wanted, source.span))
  const rows = await query(
    database,
    sql<Row>`
      select i.id, i.state, i.outside_block, i.batch_id, i.batch_index, ${isMatch(wanted)} as is_match
      from ${source.ids(range, part.countMax)} as s join intent i on i.id = s.id and i.id >= ${range.low} and i.id < ${range.high}
      order by i.id desc`,
  )
  const states = await statesOf(
    database,
    rows.filter(({ is_match }) => is_match),
    wanted.state,
  )
  return rows.map(({ id, is_match }) => ({
    id,
    isWanted: is_match && (wanted.state === undefined || states.get(id) === wanted.state),
  }))
}

/** All that a payment's own row says; its state may be its batch's. */
function isMatch(wanted: IntentQuery): RawBuilder<unknown> {
  const { visibleTo, payer, payee, token, chainId, orderId, batchId } = wanted
  return allOf([
    isCreatedIn(wanted),
    payer && sql`i.payer = ${bytes(payer)}`,
    payee && sql`i.payee = ${bytes(payee)}`,
    token && sql`i.token = ${bytes(token)}`,
    chainId === undefined ? undefined : sql`i.chain_id = ${chainId}`,
    orderId === undefined ? undefined : sql`i.order_id is not distinct from ${uuidOf('po', orderId) ?? null}::uuid`,
    batchId === undefined ? undefined : sql`i.batch_id is not distinct from ${uuidOf('sb', batchId) ?? null}::uuid`,
    visibleTo === undefined
      ? undefined
      : sql`(i.app_id = ${visibleTo} or i.order_app_id is not distinct from ${visibleTo} or exists (
          select from payee_owner o where o.chain_id = i.chain_id and o.payee = i.payee and o.app_id = ${visibleTo}))`,
  ])
}

/** Batches by ids that the statement names, so that it opens their days only. */
async function statesOf(
  database: Database,
  rows: readonly Row[],
  state: IntentState | undefined,
): Promise<ReadonlyMap<string, IntentState>> {
  if (state === undefined || rows.length === 0) return new Map()
  const batched = rows.filter(({ batch_id }) => batch_id !== null)
  const set = batched.map(({ id, batch_id, batch_index }) => ({ id, batch_id, batch_index }))
  const batchIds = [...new Set(batched.map(({ batch_id }) => batch_id))]
  const found =
    set.length === 0
      ? []
      : await query(
          database,
          sql<BatchStateRow & { id: string }>`
            select r.id, b.state as batch_state, is_paid(b.results, r.batch_index) as is_paid
            from jsonb_to_recordset(${JSON.stringify(set)}::jsonb) as r(id uuid, batch_id uuid, batch_index integer)
              join batch b on b.id = r.batch_id and b.id = any(${batchIds}::uuid[])`,
        )
  const batchOf = new Map(found.map((row) => [row.id, row]))
  return new Map(rows.map((row) => [row.id, wireStateOf(row, batchOf.get(row.id))]))
}
