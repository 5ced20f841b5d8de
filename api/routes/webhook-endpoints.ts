import { createRoute, type RouteHandler, z } from '@hono/zod-openapi'
import { RelayError } from '../../core/errors.ts'
import type { WebhookEndpoint } from '../../core/ports/webhook-endpoints.ts'
import { textSchema } from '../../core/protocol/schema.ts'
import { judgeWebhookUrl } from '../../core/webhook-url.ts'
import type { ApiEnv } from '../environment.ts'
import { errorOf } from '../middleware/problem.ts'
import type { ApiPorts } from '../ports.ts'
import { example } from '../schemas/example.ts'
import { idParams, keyHeader } from '../schemas/fields.ts'
import { pageSchema } from '../schemas/page.ts'
import { problems } from '../schemas/problem.ts'
import { endpointViewSchema, showEndpoint, webhookStatesSchema } from '../schemas/webhook.ts'

const endpointsMax = 10
const urlCharactersMax = 2_048

const terms = {
  url: textSchema({ charactersMin: 1, charactersMax: urlCharactersMax }).meta({
    description:
      'https, a public host name, port 443 or above 1023, no user and no password. What the name leads to is checked for every connection',
    example: example.webhookUrl,
  }),
  states: webhookStatesSchema
    .nullable()
    .meta({ description: 'States to be told of; null: all', example: ['finalized', 'failed'] }),
  hmac: z.boolean().meta({ description: 'Sign with HMAC (`v1`) too', example: false }),
}

const endpointBodySchema = z
  .strictObject({ url: terms.url, states: terms.states.default(null), hmac: terms.hmac.default(false) })
  .meta({ id: 'WebhookEndpointRequest' })

export const createEndpointRoute = createRoute({
  method: 'post',
  path: '/v1/webhooks/endpoints',
  tags: ['Webhooks'],
  summary: 'Register where you are told of payments',
  description: `Of payments that you submit, and of payments to payees that you own. At most ${endpointsMax} endpoints. No secret is in the answer, since answers are kept for their key: read the endpoint to see it.`,
  request: {
    headers: keyHeader,
    body: { required: true, content: { 'application/json': { schema: endpointBodySchema } } },
  },
  responses: {
    201: { description: 'Registered', content: { 'application/json': { schema: endpointViewSchema } } },
    ...problems('post', 'webhook_url_invalid', 'webhook_endpoint_exists', 'webhook_endpoints_full'),
  },
})

export function createEndpoint({
  ports: { webhookEndpoints, allowsLoopback },
}: {
  ports: ApiPorts
}): RouteHandler<typeof createEndpointRoute, ApiEnv> {
  return async (c) => {
    const { url: text, states, hmac } = c.req.valid('json')
    const url = urlOf(text, allowsLoopback)
    const wanted = { url, states: states ?? undefined, hasHmac: hmac }
    const created = await webhookEndpoints.create({ appId: c.get('app').id, countMax: endpointsMax, ...wanted })
    if (created.outcome === 'full') {
      throw new RelayError('webhook_endpoints_full', `Your app has ${endpointsMax} endpoints, as many as it may.`, {
        fields: { countMax: endpointsMax },
      })
    }
    // The same again is a request whose answer was lost.
    if (created.outcome === 'exists' && !isSame(created.endpoint, wanted)) throw urlTaken(url, created.endpoint.id)
    return c.json(showEndpoint(created.endpoint), 201)
  }
}

export const listEndpointsRoute = createRoute({
  method: 'get',
  path: '/v1/webhooks/endpoints',
  tags: ['Webhooks'],
  summary: 'List your endpoints',
  responses: {
    200: {
      description: 'All of them, the oldest first',
      content: { 'application/json': { schema: pageSchema(endpointViewSchema) } },
    },
    ...problems('get'),
  },
})

export function listEndpoints({
  ports: { webhookEndpoints },
}: {
  ports: ApiPorts
}): RouteHandler<typeof listEndpointsRoute, ApiEnv> {
  return async (c) => {
    const items = (await webhookEndpoints.list(c.get('app').id)).map(showEndpoint)
    return c.json({ items, nextCursor: null }, 200)
  }
}

export const readEndpointRoute = createRoute({
  method: 'get',
  path: '/v1/webhooks/endpoints/{id}',
  tags: ['Webhooks'],
  summary: 'Read an endpoint and its HMAC secret',
  request: { params: idParams('Endpoint id', example.endpointId) },
  responses: {
    200: {
      description: 'The endpoint',
      content: {
        'application/json': {
          schema: endpointViewSchema
            .extend({
              hmacSecret: z
                .string()
                .nullable()
                .meta({ description: 'Null without `hmac`. Keep it secret', example: example.hmacSecret }),
            })
            .meta({ id: 'WebhookEndpointWithSecret' }),
        },
      },
    },
    ...problems('get', 'not_found'),
  },
})

export function readEndpoint({
  ports: { webhookEndpoints, webhookKeys },
}: {
  ports: ApiPorts
}): RouteHandler<typeof readEndpointRoute, ApiEnv> {
  return async (c) => {
    const endpoint = found(await webhookEndpoints.find(c.get('app').id, c.req.valid('param').id))
    const hmacSecret = endpoint.hasHmac ? webhookKeys.secretOf(endpoint.id, endpoint.hmacVersion) : null
    return c.json({ ...showEndpoint(endpoint), hmacSecret }, 200)
  }
}

const changeBodySchema = z
  .strictObject({ url: terms.url.optional(), states: terms.states.optional(), hmac: terms.hmac.optional() })
  .meta({ id: 'WebhookEndpointChange' })

export const changeEndpointRoute = createRoute({
  method: 'patch',
  path: '/v1/webhooks/endpoints/{id}',
  tags: ['Webhooks'],
  summary: 'Change an endpoint',
  description: 'What is left away stays. What it still waits for goes to the new URL.',
  request: {
    params: idParams('Endpoint id', example.endpointId),
    body: { required: true, content: { 'application/json': { schema: changeBodySchema } } },
  },
  responses: {
    200: { description: 'Changed', content: { 'application/json': { schema: endpointViewSchema } } },
    ...problems(
      'get',
      'body_too_large',
      'unsupported_media_type',
      'malformed_json',
      'invalid_request',
      'not_found',
      'webhook_url_invalid',
      'webhook_endpoint_exists',
    ),
  },
})

export function changeEndpoint({
  ports: { webhookEndpoints, allowsLoopback },
}: {
  ports: ApiPorts
}): RouteHandler<typeof changeEndpointRoute, ApiEnv> {
  return async (c) => {
    const appId = c.get('app').id
    const { id } = c.req.valid('param')
    const { url: text, states, hmac } = c.req.valid('json')
    const current = found(await webhookEndpoints.find(appId, id))
    const url = text === undefined ? current.url : urlOf(text, allowsLoopback)
    const changed = await webhookEndpoints.change(appId, id, {
      url,
      states: states === undefined ? current.states : (states ?? undefined),
      hasHmac: hmac ?? current.hasHmac,
    })
    if (changed === 'url_taken') {
      const taken = (await webhookEndpoints.list(appId)).find((other) => other.url === url)
      throw urlTaken(url, taken?.id)
    }
    return c.json(showEndpoint(found(changed)), 200)
  }
}

export const removeEndpointRoute = createRoute({
  method: 'delete',
  path: '/v1/webhooks/endpoints/{id}',
  tags: ['Webhooks'],
  summary: 'Delete an endpoint',
  description: 'What it was not told yet is never sent; those deliveries end as dead letters within the hour.',
  request: { params: idParams('Endpoint id', example.endpointId) },
  responses: { 204: { description: 'Deleted' }, ...problems('get', 'not_found') },
})

export function removeEndpoint({
  ports: { webhookEndpoints },
}: {
  ports: ApiPorts
}): RouteHandler<typeof removeEndpointRoute, ApiEnv> {
  return async (c) => {
    const { id } = c.req.valid('param')
    found((await webhookEndpoints.remove(c.get('app').id, id)) ? id : undefined)
    return c.body(null, 204)
  }
}

/** @throws RelayError `not_found`, in the same words for what does not exist and for what others own. */
export function found<Found>(endpoint: Found | undefined): Found {
  if (endpoint === undefined) throw new RelayError('not_found', 'No such webhook endpoint.')
  return endpoint
}

function urlOf(text: string, allowsLoopback: boolean): string {
  const judged = judgeWebhookUrl(text, { allowsLoopback })
  if (judged.outcome === 'refused') throw errorOf(judged)
  return judged.url
}

function urlTaken(url: string, endpoint: string | undefined): RelayError {
  return new RelayError('webhook_endpoint_exists', `${endpoint} has the URL ${url}.`, { fields: { endpoint } })
}

function isSame(endpoint: WebhookEndpoint, { states, hasHmac }: Pick<WebhookEndpoint, 'states' | 'hasHmac'>): boolean {
  const sorted = (list: WebhookEndpoint['states']) => list?.toSorted().join()
  return endpoint.hasHmac === hasHmac && sorted(endpoint.states) === sorted(states)
}
