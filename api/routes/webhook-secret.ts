import { createRoute, type RouteHandler, z } from '@hono/zod-openapi'
import type { ApiEnv } from '../environment.ts'
import type { ApiPorts } from '../ports.ts'
import { example } from '../schemas/example.ts'
import { idParams, keyHeader } from '../schemas/fields.ts'
import { problems } from '../schemas/problem.ts'
import { endpointViewSchema, showEndpoint } from '../schemas/webhook.ts'
import { found } from './webhook-endpoints.ts'

const overlapSecondsDefault = 24 * 3_600
const overlapSecondsMax = 7 * 24 * 3_600

const rotateBodySchema = z
  .strictObject({
    overlapSeconds: z.int().min(0).max(overlapSecondsMax).default(overlapSecondsDefault).meta({
      description: 'How long the secret of before signs too; 0 if it has leaked',
      example: overlapSecondsDefault,
    }),
  })
  .meta({ id: 'RotateSecretRequest' })

export const rotateSecretRoute = createRoute({
  method: 'post',
  path: '/v1/webhooks/endpoints/{id}/rotate-secret',
  tags: ['Webhooks'],
  summary: 'Make a new HMAC secret',
  description:
    'Both secrets sign during the overlap; any older one signs no more. Read the endpoint to see the new one. The ed25519 key is the deployment’s and is not touched.',
  request: {
    headers: keyHeader,
    params: idParams('Endpoint id', example.endpointId),
    body: { required: false, content: { 'application/json': { schema: rotateBodySchema } } },
  },
  responses: {
    200: { description: 'Rotated', content: { 'application/json': { schema: endpointViewSchema } } },
    ...problems('post', 'not_found'),
  },
})

export function rotateSecret({
  ports: { webhookEndpoints },
}: {
  ports: ApiPorts
}): RouteHandler<typeof rotateSecretRoute, ApiEnv> {
  return async (c) => {
    const { overlapSeconds = overlapSecondsDefault } = c.req.valid('json') ?? {}
    const rotation = { overlapSeconds, requestSha256: c.get('requestSha256') }
    const rotated = await webhookEndpoints.rotate(c.get('app').id, c.req.valid('param').id, rotation)
    return c.json(showEndpoint(found(rotated)), 200)
  }
}
