import { createRoute, type RouteHandler, z } from '@hono/zod-openapi'
import { RelayError } from '../../core/errors.ts'
import type { BreakDecision, BreakRecord } from '../../core/ports/reconciliations.ts'
import { textSchema } from '../../core/protocol/schema.ts'
import type { ApiEnv } from '../environment.ts'
import type { ApiPorts } from '../ports.ts'
import { example } from '../schemas/example.ts'
import { field, idParams, keyHeader } from '../schemas/fields.ts'
import { pageFields, pageSchema, showPage } from '../schemas/page.ts'
import { problems } from '../schemas/problem.ts'
import { breakViewSchema, showBreak } from '../schemas/reconciliation.ts'

const { cursor, limit } = pageFields('br')
const ownerCharactersMax = 100
const noteCharactersMax = 500

export const listBreaksRoute = createRoute({
  method: 'get',
  path: '/v1/breaks',
  tags: ['Reconciliation'],
  summary: 'List breaks',
  description: 'For operators. Newest first.',
  request: { query: z.object({ cursor, limit, state: z.enum(['open', 'resolved']).optional() }) },
  responses: {
    200: {
      description: 'A page',
      content: { 'application/json': { schema: pageSchema(breakViewSchema).meta({ id: 'BreakPage' }) } },
    },
    ...problems('get', 'forbidden', 'invalid_request'),
  },
})

export function listBreaks({
  ports: { reconciliations, clock },
}: {
  ports: ApiPorts
}): RouteHandler<typeof listBreaksRoute, ApiEnv> {
  return async (c) => {
    const { cursor, limit, state } = c.req.valid('query')
    const isOpen = state === undefined ? undefined : state === 'open'
    const page = await reconciliations.listBreaks({ isOpen, after: cursor, countMax: limit })
    const now = clock.nowMillis()
    return c.json(
      showPage(page, (each) => showBreak(each, now)),
      200,
    )
  }
}

export const assignBreakRoute = createRoute({
  method: 'post',
  path: '/v1/breaks/{id}/assign',
  tags: ['Reconciliation'],
  summary: 'Give a break to somebody',
  description: 'For operators. Written to the op-log.',
  request: {
    headers: keyHeader,
    params: idParams('Break id', example.breakId),
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z
            .strictObject({
              owner: textSchema({ charactersMin: 1, charactersMax: ownerCharactersMax }).meta({
                description: 'A role or a person',
                example: 'treasury',
              }),
              note: field.note.optional(),
            })
            .meta({ id: 'BreakAssignment' }),
        },
      },
    },
  },
  responses: {
    200: { description: 'Assigned', content: { 'application/json': { schema: breakViewSchema } } },
    ...problems('post', 'forbidden', 'not_found', 'break_not_open'),
  },
})

export function assignBreak({
  ports: { reconciliations, clock },
}: {
  ports: ApiPorts
}): RouteHandler<typeof assignBreakRoute, ApiEnv> {
  return async (c) => {
    const { id } = c.req.valid('param')
    const { owner, note } = c.req.valid('json')
    const decided = await reconciliations.assign({ id, owner, note, operatorId: c.get('app').id })
    return c.json(showBreak(recordIn(decided), clock.nowMillis()), 200)
  }
}

export const resolveBreakRoute = createRoute({
  method: 'post',
  path: '/v1/breaks/{id}/resolve',
  tags: ['Reconciliation'],
  summary: 'Close a break, with the reason',
  description:
    'For operators. `corrected`: it was put right; found again, it is a new break. `accepted`: it is explained and stays; found again, it is not opened while the difference is the same. Written to the op-log.',
  request: {
    headers: keyHeader,
    params: idParams('Break id', example.breakId),
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z
            .strictObject({
              resolution: z.enum(['corrected', 'accepted']),
              note: textSchema({ charactersMin: 1, charactersMax: noteCharactersMax }).meta({
                description: 'Why; kept with the break and in the op-log',
                example: 'Sent by mistake; the sender was told',
              }),
            })
            .meta({ id: 'BreakResolution' }),
        },
      },
    },
  },
  responses: {
    200: { description: 'Resolved', content: { 'application/json': { schema: breakViewSchema } } },
    ...problems('post', 'forbidden', 'not_found', 'break_not_open'),
  },
})

export function resolveBreak({
  ports: { reconciliations, clock },
}: {
  ports: ApiPorts
}): RouteHandler<typeof resolveBreakRoute, ApiEnv> {
  return async (c) => {
    const { id } = c.req.valid('param')
    const { resolution, note } = c.req.valid('json')
    const decided = await reconciliations.resolve({ id, kind: resolution, note, operatorId: c.get('app').id })
    return c.json(showBreak(recordIn(decided), clock.nowMillis()), 200)
  }
}

function recordIn(decided: BreakDecision): BreakRecord {
  if (decided.outcome === 'not_found') throw new RelayError('not_found', 'No such break.')
  if (decided.outcome === 'decided') return decided.record
  const { resolution } = decided.record
  throw new RelayError(
    'break_not_open',
    `The break was ${resolution?.kind} by ${resolution?.by}: ${resolution?.note}`,
    {
      fields: { resolution: resolution?.kind, by: resolution?.by },
    },
  )
}
