import { createRoute, type RouteHandler, z } from '@hono/zod-openapi'
import type { IntentEvent } from '../../core/ports/events.ts'
import type { ApiEnv } from '../environment.ts'
import type { ApiPorts } from '../ports.ts'
import { example } from '../schemas/example.ts'
import { answer, idParams, isoOf } from '../schemas/fields.ts'
import { stateSchema } from '../schemas/intent.ts'
import { problems } from '../schemas/problem.ts'
import { loadIntent } from './intents.ts'

/** More than any payment has without a reorg every few minutes. */
const eventsMax = 1_000

const eventSchema = z
  .object({
    sequence: z.int().meta({ description: '1, 2, 3, … without a gap', example: 4 }),
    state: stateSchema,
    reason: z.string().nullable().meta({ description: 'Why it is held or at a bad end', example: null }),
    at: answer.time('When it was written'),
    batch: z.string().nullable().meta({ description: 'Its settlement batch at that time', example: example.batchId }),
    tx: answer.hash('Transaction that the state rests on').nullable(),
    block: z.string().nullable().meta({ description: 'Block of that transaction', example: '1289' }),
  })
  .meta({ id: 'IntentEvent' })

export const listEventsRoute = createRoute({
  method: 'get',
  path: '/v1/intents/{id}/events',
  tags: ['Intents'],
  summary: 'Read every state that a payment has had',
  description: `Oldest first, ${eventsMax} at most; \`after\` goes on. For those who may read the payment.`,
  request: {
    params: idParams('Intent id', example.intentId),
    query: z.strictObject({
      after: z.coerce
        .number()
        .int()
        .min(0)
        .max(2 ** 31 - 1)
        .default(0)
        .meta({ description: 'Only events with a higher sequence', example: 0 }),
    }),
  },
  responses: {
    200: {
      description: 'Its events',
      content: { 'application/json': { schema: z.object({ items: z.array(eventSchema) }) } },
    },
    ...problems('get', 'invalid_request', 'not_found'),
  },
})

export function listEvents({
  ports: { intents, events },
}: {
  ports: ApiPorts
}): RouteHandler<typeof listEventsRoute, ApiEnv> {
  return async (c) => {
    const { id } = await loadIntent(intents, c.req.valid('param').id, c.get('app'))
    const found = await events.of(id, { afterSequence: c.req.valid('query').after, countMax: eventsMax })
    return c.json({ items: found.map(showEvent) }, 200)
  }
}

function showEvent(event: IntentEvent): z.output<typeof eventSchema> {
  const { sequence, state, reason, atMillis, batchId, txHash, blockNumber } = event
  return {
    ...{ sequence, state, reason: reason ?? null, at: isoOf(atMillis), batch: batchId ?? null, tx: txHash ?? null },
    block: blockNumber === undefined ? null : `${blockNumber}`,
  }
}
