import { sql } from 'kysely'
import type { OrderQuery, OrderRecord } from '../../core/ports/orders.ts'
import type { Page } from '../../core/ports/page.ts'
import { bytes, uuidOfOwn } from './codec.ts'
import { type Database, query } from './database.ts'
import { allOf, type DayPart, isCreatedIn, type PageLimits, readPage } from './page.ts'

/**
 * By day of the id, then by the time at which it was stored: within a day, ids of orders do not sort by time.
 * @param load orders that exist, in any order
 */
export async function listOrders(
  database: Database,
  wanted: OrderQuery,
  load: (database: Database, uuids: readonly string[]) => Promise<readonly OrderRecord[]>,
  limits?: PageLimits,
): Promise<Page<OrderRecord>> {
  const page = await readPage(database, {
    table: 'payment_order',
    prefix: 'po',
    page: wanted,
    scan: (part) => scan(database, wanted, part),
    ...(limits === undefined ? {} : { limits }),
  })
  const orders = await load(
    database,
    page.items.map((id) => uuidOfOwn('po', id)),
  )
  const byId = new Map(orders.map((order) => [order.id, order]))
  return { ...page, items: page.items.map((id) => byId.get(id)).filter((order) => order !== undefined) }
}

async function scan(database: Database, wanted: OrderQuery, { low, high, after, countMax }: DayPart) {
  const { appId, reference, payee, state, nowSeconds } = wanted
  // In an earlier day there is nothing to go on from; an id that is no order's ends its day.
  const isOfThisDay = after !== undefined && after >= low && after < high
  const rows = await query(
    database,
    sql<{ id: string; is_match: boolean }>`
      select s.id, s.is_match and ${
        state === undefined
          ? sql`true`
          : sql`${state} = case when c.intent_id is not null then 'claimed' when s.expires_at < ${nowSeconds} then 'expired' else 'open' end`
      } as is_match
      from (
        select id, created_at, expires_at,
          ${payee === undefined ? sql`true` : sql`payee = ${bytes(payee)}`} as is_match
        from payment_order
        where ${allOf([
          sql`app_id = ${appId}`,
          reference === undefined ? undefined : sql`reference = ${reference}`,
          isCreatedIn(wanted),
          isOfThisDay
            ? sql`(created_at, id) < (select p.created_at, p.id from payment_order p where p.id = ${after})`
            : undefined,
        ])} and id >= ${low} and id < ${high}
        order by created_at desc, id desc limit ${countMax}
      ) as s left join order_claim c on c.order_id = s.id
      order by s.created_at desc, s.id desc`,
  )
  return rows.map(({ id, is_match }) => ({ id, isWanted: is_match }))
}
