import { sql } from 'kysely'
import type { PaymentEventState, PaymentFacts } from '../../core/protocol/webhook.ts'
import { hexOf, idOf } from './codec.ts'
import { type Database, query } from './database.ts'
import { type IntentRow, paymentOf } from './intent-row.ts'

/** One event of one payment, as one app is told of it. */
type Wanted = {
  /** What the caller knows it by. */
  readonly id: string
  readonly intentId: string
  readonly sequence: number
  readonly appId: string
}

type EventRow = {
  readonly intent_id: string
  readonly sequence: number
  readonly state: PaymentEventState
  readonly reason: string | null
  readonly batch_id: string | null
  readonly tx_hash: Buffer | null
  readonly block_number: number | null
  readonly block_hash: Buffer | null
  readonly at: Date
}
type OrderRow = { readonly id: string; readonly app_id: string; readonly reference: string }

/**
 * What webhooks say, by `id`; of those whose event or payment is no longer stored, nothing. All of it is written once and never changed, so every try says the same. Each statement
 * names the ids it reads, and opens their days only.
 */
export async function loadPaymentFacts(
  database: Database,
  wanted: readonly Wanted[],
): Promise<ReadonlyMap<string, PaymentFacts>> {
  if (wanted.length === 0) return new Map()
  const intentIds = [...new Set(wanted.map(({ intentId }) => intentId))]
  const [events, intents] = await Promise.all([
    loadEvents(database, wanted, intentIds),
    loadIntents(database, intentIds),
  ])
  const orderIds = [...new Set([...intents.values()].flatMap(({ order_id }) => order_id ?? []))]
  const orders = orderIds.length === 0 ? new Map<string, OrderRow>() : await loadOrders(database, orderIds)
  return new Map(
    wanted.flatMap(({ id, intentId, sequence, appId }) => {
      const event = events.get(`${intentId}/${sequence}`)
      const intent = intents.get(intentId)
      if (event === undefined || intent === undefined) return []
      const order = intent.order_id === null ? undefined : orders.get(intent.order_id)
      return [[id, factsOf({ event, intent, order, appId })] as const]
    }),
  )
}

function factsOf({
  event,
  intent,
  order,
  appId,
}: {
  event: EventRow
  intent: IntentRow
  order: OrderRow | undefined
  appId: string
}): PaymentFacts {
  const { payer, payee, token, amount } = paymentOf(intent)
  return {
    intentId: idOf('pi', event.intent_id),
    sequence: event.sequence,
    state: event.state,
    reason: event.reason ?? undefined,
    at: event.at.toISOString(),
    chainId: intent.chain_id,
    digest: hexOf(intent.digest),
    ...{ payer, payee, token, amount },
    orderId: intent.order_id === null ? undefined : idOf('po', intent.order_id),
    reference: order?.app_id === appId ? order.reference : undefined,
    batchId: event.batch_id === null ? undefined : idOf('sb', event.batch_id),
    txHash: event.tx_hash === null ? undefined : hexOf(event.tx_hash),
    blockNumber: event.block_number === null ? undefined : BigInt(event.block_number),
    blockHash: event.block_hash === null ? undefined : hexOf(event.block_hash),
  }
}

async function loadEvents(
  database: Database,
  wanted: readonly Wanted[],
  intentIds: readonly string[],
): Promise<ReadonlyMap<string, EventRow>> {
  const rows = await query(
    database,
    sql<EventRow>`
      select e.* from intent_event e
        join jsonb_to_recordset(${JSON.stringify(wanted)}::jsonb) as w("intentId" uuid, sequence integer)
          on e.intent_id = w."intentId" and e.sequence = w.sequence
      where e.intent_id = any(${intentIds}::uuid[])`,
  )
  return new Map(rows.map((row) => [`${row.intent_id}/${row.sequence}`, row]))
}

async function loadIntents(database: Database, ids: readonly string[]): Promise<ReadonlyMap<string, IntentRow>> {
  const rows = await query(database, sql<IntentRow>`select * from intent where id = any(${ids}::uuid[])`)
  return new Map(rows.map((row) => [row.id, row]))
}

async function loadOrders(database: Database, ids: readonly string[]): Promise<ReadonlyMap<string, OrderRow>> {
  const rows = await query(
    database,
    sql<OrderRow>`select id, app_id, reference from payment_order where id = any(${ids}::uuid[])`,
  )
  return new Map(rows.map((row) => [row.id, row]))
}
