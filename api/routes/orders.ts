import { randomBytes } from 'node:crypto'
import { createRoute, type RouteHandler, z } from '@hono/zod-openapi'
import type { Hex } from 'viem'
import { RelayError } from '../../core/errors.ts'
import { type Order, orderHashOf, orderRefOf } from '../../core/order.ts'
import { nowSeconds } from '../../core/ports/clock.ts'
import type { Intents } from '../../core/ports/intents.ts'
import type { OrderRecord, Orders } from '../../core/ports/orders.ts'
import { type KnownChains, refuseChain } from '../chains.ts'
import type { ApiEnv } from '../environment.ts'
import { errorOf } from '../middleware/problem.ts'
import { dayMillis, orderIdOf } from '../order-id.ts'
import type { ApiPorts } from '../ports.ts'
import { example } from '../schemas/example.ts'
import { field, idParams, keyHeader } from '../schemas/fields.ts'
import { type OrderView, orderViewSchema, showOrder } from '../schemas/order.ts'
import { problems } from '../schemas/problem.ts'
import { screenTerms } from '../terms.ts'

const expiresInSecondsMin = 60
const expiresInSecondsMax = 30 * 24 * 3600
const expiresInSecondsDefault = 3600
/** Draws of a salt until payee and orderRef are unique; a second draw is already a 1 in 2⁶⁴ event. */
const drawsMax = 5

const orderBodySchema = z
  .strictObject({
    chainId: field.chainId,
    payee: field.payee,
    token: field.token,
    amount: field.amount,
    reference: field.reference,
    expiresInSeconds: z
      .int()
      .min(expiresInSecondsMin)
      .max(expiresInSecondsMax)
      .default(expiresInSecondsDefault)
      .meta({ description: 'How long payments for it are accepted', example: 3600 }),
  })
  .meta({ id: 'OrderRequest' })

export const createOrderRoute = createRoute({
  method: 'post',
  path: '/v1/orders',
  tags: ['Orders'],
  summary: 'Register what you ask to be paid',
  description: 'The order is paid at most once, by a payment of exactly this payee, token and amount.',
  request: {
    headers: keyHeader,
    body: { required: true, content: { 'application/json': { schema: orderBodySchema } } },
  },
  responses: {
    201: { description: 'Registered', content: { 'application/json': { schema: orderViewSchema } } },
    ...problems(
      'post',
      'address_checksum_invalid',
      'wrong_chain',
      'token_unknown',
      'payee_invalid',
      'amount_out_of_range',
      'amount_not_representable',
    ),
  },
})

export function createOrder({
  ports: { orders, intents, clock },
  chains,
}: {
  ports: ApiPorts
  chains: KnownChains
}): RouteHandler<typeof createOrderRoute, ApiEnv> {
  return async (c) => {
    const { expiresInSeconds, ...terms } = c.req.valid('json')
    const known = chains.find(terms.chainId)
    if (known === undefined) throw errorOf(refuseChain(terms.chainId, chains))
    const now = nowSeconds(clock)
    const screened = screenTerms(known, { ...terms, payer: undefined, taking: { mode: 'independent' } }, now)
    if (screened.outcome === 'refused') throw errorOf(screened)

    const request = c.get('requestSha256')
    const order = {
      ...terms,
      id: orderIdOf(request, clock.nowMillis()),
      appId: c.get('app').id,
      expiresAt: BigInt(now + expiresInSeconds),
    }
    const earlier = await findOf(orders, order.id, orderIdOf(request, clock.nowMillis() - dayMillis))
    const stored = earlier ?? (await store(orders, order))
    return c.json(showOrder(stored, await claimOf(stored, intents), now), 201)
  }
}

/** Orders of the same request: one on whose answer nobody waited to the end, or whose answer was lost. */
async function findOf(orders: Orders, ...ids: readonly string[]): Promise<OrderRecord | undefined> {
  const found = await Promise.all(ids.map((id) => orders.find(id)))
  return found.find((order) => order !== undefined)
}

async function store(orders: Orders, order: Omit<Order, 'orderHash' | 'orderRef'>): Promise<OrderRecord> {
  for (let draw = 0; draw < drawsMax; draw++) {
    const salt: Hex = `0x${randomBytes(16).toString('hex')}`
    const orderHash = orderHashOf({ ...order, salt })
    try {
      const created = await orders.create({ ...order, salt, orderHash, orderRef: orderRefOf(orderHash) })
      if (created === 'collides') continue
    } catch (error) {
      // The same request may have stored it a moment ago on its other way here: then the id is taken, by the same order.
      const stored = await orders.find(order.id)
      if (stored === undefined) throw error
      return stored
    }
    const stored = await orders.find(order.id)
    if (stored === undefined) throw new RelayError('internal', `Order ${order.id} is stored but cannot be found.`)
    return stored
  }
  throw new RelayError('internal', `No unused order reference in ${drawsMax} draws.`)
}

export const readOrderRoute = createRoute({
  method: 'get',
  path: '/v1/orders/{id}',
  tags: ['Orders'],
  summary: 'Read an order',
  description: 'For the app that registered it.',
  request: { params: idParams('Order id', example.orderId) },
  responses: {
    200: { description: 'The order', content: { 'application/json': { schema: orderViewSchema } } },
    ...problems('get', 'not_found'),
  },
})

export function readOrder({
  ports: { orders, intents, clock },
}: {
  ports: ApiPorts
}): RouteHandler<typeof readOrderRoute, ApiEnv> {
  return async (c) => {
    const { id } = c.req.valid('param')
    const order = await orders.find(id)
    if (order === undefined || order.appId !== c.get('app').id) throw new RelayError('not_found', 'No such order.')
    return c.json(showOrder(order, await claimOf(order, intents), nowSeconds(clock)), 200)
  }
}

async function claimOf({ paidBy }: OrderRecord, intents: Intents): Promise<OrderView['payment']> {
  const payment = paidBy === undefined ? undefined : await intents.find(paidBy)
  return payment === undefined ? null : { id: payment.id, state: payment.state }
}
