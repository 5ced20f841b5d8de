import { createRoute, type RouteHandler, z } from '@hono/zod-openapi'
import { RelayError } from '../../core/errors.ts'
import type { ApiEnv } from '../environment.ts'
import type { ApiPorts } from '../ports.ts'
import { example } from '../schemas/example.ts'
import { idParams, keyHeader } from '../schemas/fields.ts'
import { pageFields, pageOf, pageSchema, showPage } from '../schemas/page.ts'
import { problems } from '../schemas/problem.ts'
import { deliveryViewSchema, showDelivery } from '../schemas/webhook.ts'
import { found } from './webhook-endpoints.ts'

const { limit, cursor } = pageFields('wd')
const idCharactersMax = 64
const filterId = (description: string, value: string) =>
  z.string().max(idCharactersMax).optional().meta({ description, example: value })

export const listDeliveriesRoute = createRoute({
  method: 'get',
  path: '/v1/webhooks/deliveries',
  tags: ['Webhooks'],
  summary: 'List deliveries',
  description: 'Of the last 30 days, the newest first.',
  request: {
    query: z.strictObject({
      endpoint: filterId('Only to this endpoint', example.endpointId),
      intent: filterId('Only about this payment', example.intentId),
      state: z.enum(['open', 'delivered', 'dead']).optional().meta({ description: 'Only in this state' }),
      limit,
      cursor,
    }),
  },
  responses: {
    200: { description: 'A page', content: { 'application/json': { schema: pageSchema(deliveryViewSchema) } } },
    ...problems('get', 'invalid_request'),
  },
})

export function listDeliveries({
  ports: { webhookDeliveries },
}: {
  ports: ApiPorts
}): RouteHandler<typeof listDeliveriesRoute, ApiEnv> {
  return async (c) => {
    const { endpoint, intent, state, limit, cursor } = c.req.valid('query')
    const deliveries = await webhookDeliveries.list({
      appId: c.get('app').id,
      endpointId: endpoint,
      intentId: intent,
      state,
      before: cursor,
      countMax: limit + 1,
    })
    return c.json(
      showPage(
        pageOf(deliveries, limit, ({ id }) => id),
        showDelivery,
      ),
      200,
    )
  }
}

export const replayDeliveryRoute = createRoute({
  method: 'post',
  path: '/v1/webhooks/deliveries/{id}/replay',
  tags: ['Webhooks'],
  summary: 'Send an event again',
  description:
    'A new delivery of the same event, due at once, with the same `webhook-id`. It may come after later ones of its payment: its `sequence` says so. One that is still open becomes due at once instead.',
  request: { headers: keyHeader, params: idParams('Delivery id', example.deliveryId) },
  responses: {
    201: { description: 'On its way', content: { 'application/json': { schema: deliveryViewSchema } } },
    ...problems('post', 'not_found', 'webhook_endpoint_deleted', 'webhook_event_gone'),
  },
})

export function replayDelivery({
  ports: { webhookDeliveries },
}: {
  ports: ApiPorts
}): RouteHandler<typeof replayDeliveryRoute, ApiEnv> {
  return async (c) => {
    const replayed = await webhookDeliveries.replay(c.get('app').id, c.req.valid('param').id)
    if (replayed === undefined) throw new RelayError('not_found', 'No such delivery.')
    if (replayed === 'endpoint_deleted') {
      throw new RelayError('webhook_endpoint_deleted', 'There is no endpoint left to send it to.')
    }
    if (replayed === 'event_gone') {
      throw new RelayError('webhook_event_gone', 'There is nothing left to say: the event was dropped with its day.')
    }
    return c.json(showDelivery(replayed), 201)
  }
}

export const testEndpointRoute = createRoute({
  method: 'post',
  path: '/v1/webhooks/endpoints/{id}/test',
  tags: ['Webhooks'],
  summary: 'Send a test event',
  description: 'On the same way as any other, retries included; read the delivery to see what came of it.',
  request: { headers: keyHeader, params: idParams('Endpoint id', example.endpointId) },
  responses: {
    201: { description: 'On its way', content: { 'application/json': { schema: deliveryViewSchema } } },
    ...problems('post', 'not_found', 'webhook_endpoint_disabled'),
  },
})

export function testEndpoint({
  ports: { webhookEndpoints, webhookDeliveries },
}: {
  ports: ApiPorts
}): RouteHandler<typeof testEndpointRoute, ApiEnv> {
  return async (c) => {
    const appId = c.get('app').id
    const endpoint = found(await webhookEndpoints.find(appId, c.req.valid('param').id))
    if (endpoint.disabled !== undefined) {
      const { reason } = endpoint.disabled
      throw new RelayError('webhook_endpoint_disabled', `The endpoint is disabled: ${reason}.`, { fields: { reason } })
    }
    return c.json(showDelivery(found(await webhookDeliveries.test(appId, endpoint.id))), 201)
  }
}
