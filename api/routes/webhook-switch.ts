import { createRoute, type RouteHandler } from '@hono/zod-openapi'
import type { ApiEnv } from '../environment.ts'
import type { ApiPorts } from '../ports.ts'
import { example } from '../schemas/example.ts'
import { idParams, keyHeader } from '../schemas/fields.ts'
import { problems } from '../schemas/problem.ts'
import { endpointViewSchema, showEndpoint } from '../schemas/webhook.ts'
import { found } from './webhook-endpoints.ts'

const switchRoute = <Path extends string>(path: Path, summary: string, description: string) =>
  createRoute({
    method: 'post',
    path,
    tags: ['Webhooks'],
    summary,
    description,
    request: { headers: keyHeader, params: idParams('Endpoint id', example.endpointId) },
    responses: {
      200: { description: 'Done', content: { 'application/json': { schema: endpointViewSchema } } },
      ...problems('post', 'not_found'),
    },
  })

export const enableEndpointRoute = switchRoute(
  '/v1/webhooks/endpoints/{id}/enable',
  'Enable an endpoint again',
  'What was collected while it was disabled is due at once, in order per payment; what is older than seven days is a dead letter.',
)

export function enableEndpoint({
  ports: { webhookEndpoints },
}: {
  ports: ApiPorts
}): RouteHandler<typeof enableEndpointRoute, ApiEnv> {
  return async (c) => {
    const enabled = await webhookEndpoints.enable(c.get('app').id, c.req.valid('param').id)
    return c.json(showEndpoint(found(enabled)), 200)
  }
}

export const disableEndpointRoute = switchRoute(
  '/v1/webhooks/endpoints/{id}/disable',
  'Disable an endpoint',
  'Nothing more is sent, and nothing is lost: what happens meanwhile is collected for up to seven days.',
)

export function disableEndpoint({
  ports: { webhookEndpoints },
}: {
  ports: ApiPorts
}): RouteHandler<typeof disableEndpointRoute, ApiEnv> {
  return async (c) => {
    const disabled = await webhookEndpoints.disable(c.get('app').id, c.req.valid('param').id)
    return c.json(showEndpoint(found(disabled)), 200)
  }
}
