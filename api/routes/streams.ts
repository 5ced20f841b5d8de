import { createRoute, type RouteHandler, z } from '@hono/zod-openapi'
import { RelayError } from '../../core/errors.ts'
import type { EventPosition } from '../../core/ports/events.ts'
import type { ApiEnv } from '../environment.ts'
import { example } from '../schemas/example.ts'
import { idParams } from '../schemas/fields.ts'
import { problems } from '../schemas/problem.ts'
import type { Streams } from '../streams.ts'
import { isTypeId } from '../type-id.ts'
import type { WatchLinks } from '../watch-link.ts'

const capabilityCharactersMax = 64
const sequenceMax = 2 ** 31 - 1
const xidMax = 2n ** 64n - 1n

/** How a stream is answered: nobody on the way keeps it, holds it back or packs it. */
const streamHeaders = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-store',
  'X-Accel-Buffering': 'no',
  // A stream ends for good: the connection must not wait for a next request while the process stops.
  Connection: 'close',
}
const stream = (description: string) => ({
  description,
  content: {
    'text/event-stream': {
      schema: z.string().meta({ description: 'Server-sent events `state`, with comments as heartbeats' }),
    },
  },
})

const lastEventHeader = (description: string, value: string) =>
  z.object({ 'last-event-id': z.string().optional().meta({ description, example: value }) })

export const watchIntentRoute = createRoute({
  method: 'get',
  path: '/v1/intents/{id}/stream',
  tags: ['Streams'],
  security: [],
  summary: 'Watch one payment, with its link',
  description:
    'For pages without credentials: the link is `watchUrl` of the payment. Tells all states from the first one on, and ends with the last. Public facts only. Whoever has the link may watch.',
  request: {
    params: idParams('Intent id', example.intentId),
    query: z.strictObject({
      capability: z
        .string()
        .max(capabilityCharactersMax)
        .meta({ description: 'As in the link', example: 'XV1dXV1dXV1dXV1dXV1dXV1dXV1dXV1dXV1dXV1dXV0' }),
    }),
    headers: lastEventHeader('Sequence of the last event that you have; browsers send it by themselves', '3'),
  },
  responses: {
    200: stream('The states of the payment, as they come'),
    204: { description: 'You have its last state: do not connect again' },
    ...problems('get', 'invalid_request', 'not_found', 'rate_limited', 'overloaded'),
  },
})

export function watchIntent({
  streams,
  watchLinks,
}: {
  streams: Streams
  watchLinks: WatchLinks
}): RouteHandler<typeof watchIntentRoute, ApiEnv> {
  return async (c) => {
    const { id } = c.req.valid('param')
    if (!watchLinks.isGood(id, c.req.valid('query').capability)) throw new RelayError('not_found', 'No such intent.')
    const last = c.req.valid('header')['last-event-id']
    if (last !== undefined && !/^[0-9]{1,10}$/.test(last)) throw refuseLastEvent('a sequence')
    if (c.req.method === 'HEAD') return c.body(null, 200, streamHeaders)
    const body = await streams.ofIntent(id, Math.min(Number(last ?? 0), sequenceMax))
    return body === undefined ? c.body(null, 204) : c.body(body, 200, streamHeaders)
  }
}

export const streamAppRoute = createRoute({
  method: 'get',
  path: '/v1/stream',
  tags: ['Streams'],
  summary: 'Follow all payments of your app',
  description:
    'Every change of state of what your app submitted and of what pays payees that it owns, from now on. It opens with an `id` that says where it begins; with the last `id` as `Last-Event-ID` it goes on right after that, up to 14 days back, without loss and without doubles. `sequence` is the order of one payment’s states.',
  request: {
    query: z.strictObject({}),
    headers: lastEventHeader('Last `id` that you have', `748.${example.intentId}.3`),
  },
  responses: {
    200: stream('Events as they come'),
    ...problems('get', 'invalid_request', 'overloaded'),
  },
})

export function streamApp({ streams }: { streams: Streams }): RouteHandler<typeof streamAppRoute, ApiEnv> {
  return async (c) => {
    const last = c.req.valid('header')['last-event-id']
    const after = last === undefined ? undefined : positionOf(last)
    // Nobody would read its body, and nobody would end it.
    if (c.req.method === 'HEAD') return c.body(null, 200, streamHeaders)
    const body = await streams.ofApp(c.get('app').id, after)
    return c.body(body, 200, streamHeaders)
  }
}

function positionOf(text: string): EventPosition {
  const [xid = '', intentId = '', sequence = '', ...more] = text.split('.')
  const isNumbered = /^[0-9]{1,20}$/.test(xid) && /^[0-9]{1,9}$/.test(sequence)
  if (more.length > 0 || !isNumbered || BigInt(xid) > xidMax || !isTypeId('pi', intentId)) {
    throw refuseLastEvent('the id of an event of this stream')
  }
  return { xid: BigInt(xid), intentId, sequence: Number(sequence) }
}

function refuseLastEvent(what: string): RelayError {
  const message = `not ${what}`
  return new RelayError('invalid_request', `Last-Event-ID: ${message}`, {
    fields: { errors: [{ path: 'Last-Event-ID', message }] },
  })
}
