import { sql } from 'kysely'
import type { Order } from '../../core/order.ts'
import type { OrderRecord, Orders } from '../../core/ports/orders.ts'
import { addressOf, bytes, hexOf, idOf, uuidOf, uuidOfOwn } from './codec.ts'
import { type Database, query } from './database.ts'
import { listOrders } from './order-list.ts'

export function createOrders(database: Database): Orders {
  return {
    create: (order) => create(database, order),
    find: async (id) => {
      const uuid = uuidOf('po', id)
      return uuid === undefined ? undefined : (await load(database, [uuid]))[0]
    },
    list: (query) => listOrders(database, query, load),
  }
}

/** The reference is claimed first: without it, nothing is stored. */
async function create(database: Database, order: Parameters<Orders['create']>[0]): Promise<'stored' | 'collides'> {
  const id = uuidOfOwn('po', order.id)
  const stored = await query(
    database,
    sql`
      with claimed as (
        insert into order_ref (payee, order_ref, order_id)
        values (${bytes(order.payee)}, ${bytes(order.orderRef)}, ${id})
        on conflict (payee, order_ref) do nothing
        returning order_id
      )
      insert into payment_order (id, app_id, chain_id, payee, token, amount, reference, salt, order_hash, order_ref, expires_at)
      select order_id, ${order.appId}, ${order.chainId}::bigint, ${bytes(order.payee)}::bytea, ${bytes(order.token)}::bytea,
        ${order.amount}::numeric, ${order.reference}, ${bytes(order.salt)}::bytea, ${bytes(order.orderHash)}::bytea,
        ${bytes(order.orderRef)}::bytea, ${order.expiresAt}::bigint
      from claimed
      returning id`,
  )
  return stored.length === 1 ? 'stored' : 'collides'
}

/** The columns of `payment_order` that make an order. */
export type OrderRow = {
  readonly id: string
  readonly app_id: string
  readonly chain_id: number
  readonly payee: Buffer
  readonly token: Buffer
  readonly amount: string
  readonly reference: string
  readonly order_hash: Buffer
  readonly order_ref: Buffer
  readonly expires_at: number
}

export function orderOf(row: OrderRow): Order {
  return {
    id: idOf('po', row.id),
    appId: row.app_id,
    chainId: row.chain_id,
    payee: addressOf(row.payee),
    token: addressOf(row.token),
    amount: BigInt(row.amount),
    reference: row.reference,
    orderHash: hexOf(row.order_hash),
    orderRef: hexOf(row.order_ref),
    expiresAt: BigInt(row.expires_at),
  }
}

/** The orders that exist among these. */
async function load(database: Database, uuids: readonly string[]): Promise<readonly OrderRecord[]> {
  if (uuids.length === 0) return []
  const rows = await query(
    database,
    sql<OrderRow & { salt: Buffer; created_at: Date; paid_by: string | null }>`
      select o.*, c.intent_id as paid_by
      from payment_order o left join order_claim c on c.order_id = o.id
      where o.id = any(${uuids}::uuid[])`,
  )
  return rows.map((row) => ({
    ...orderOf(row),
    salt: hexOf(row.salt),
    paidBy: row.paid_by === null ? undefined : idOf('pi', row.paid_by),
    createdAtMillis: row.created_at.getTime(),
  }))
}
