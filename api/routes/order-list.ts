import { createRoute, type RouteHandler, z } from '@hono/zod-openapi'
import { nowSeconds } from '../../core/ports/clock.ts'
import type { ApiEnv } from '../environment.ts'
import type { ApiPorts } from '../ports.ts'
import { field } from '../schemas/fields.ts'
import { orderStateSchema, orderViewSchema, showOrder } from '../schemas/order.ts'
import { isForwardInTime, pageFields, pageRequestOf, pageSchema, showPage } from '../schemas/page.ts'
import { problems } from '../schemas/problem.ts'

const querySchema = z
  .strictObject({
    ...pageFields('po'),
    state: orderStateSchema.optional(),
    payee: field.payee.optional(),
    reference: field.reference.optional(),
  })
  .refine(isForwardInTime.check, isForwardInTime.fault)

export const listOrdersRoute = createRoute({
  method: 'get',
  path: '/v1/orders',
  tags: ['Orders'],
  summary: 'List your orders, newest first',
  description: 'What your app registered. Filters add up; `reference` is compared as a whole.',
  request: { query: querySchema },
  responses: {
    200: { description: 'A page of orders', content: { 'application/json': { schema: pageSchema(orderViewSchema) } } },
    ...problems('get', 'invalid_request', 'address_checksum_invalid'),
  },
})

export function listOrders({
  ports: { orders, intents, clock },
}: {
  ports: ApiPorts
}): RouteHandler<typeof listOrdersRoute, ApiEnv> {
  return async (c) => {
    const { state, payee, reference, ...page } = c.req.valid('query')
    const now = nowSeconds(clock)
    const appId = c.get('app').id
    const found = await orders.list({ ...pageRequestOf(page), appId, payee, reference, state, nowSeconds: now })
    const states = await intents.states(found.items.flatMap(({ paidBy }) => paidBy ?? []))
    return c.json(
      showPage(found, (order) => {
        const paid = order.paidBy === undefined ? undefined : states.get(order.paidBy)
        const payment = order.paidBy === undefined || paid === undefined ? null : { id: order.paidBy, state: paid }
        return showOrder(order, payment, now)
      }),
      200,
    )
  }
}
