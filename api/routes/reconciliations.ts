import { createRoute, type RouteHandler, z } from '@hono/zod-openapi'
import { RelayError } from '../../core/errors.ts'
import type { ApiEnv } from '../environment.ts'
import type { ApiPorts } from '../ports.ts'
import { example } from '../schemas/example.ts'
import { idParams } from '../schemas/fields.ts'
import { pageFields, pageSchema, showPage } from '../schemas/page.ts'
import { problems } from '../schemas/problem.ts'
import {
  reconciliationSchema,
  reconciliationViewSchema,
  showBreak,
  showReconciliation,
} from '../schemas/reconciliation.ts'

const { cursor, limit } = pageFields('rc')

/** Breaks that a read shows with its reconciliation; the list of breaks has all. */
const breakCountMax = 100

export const listReconciliationsRoute = createRoute({
  method: 'get',
  path: '/v1/reconciliations',
  tags: ['Reconciliation'],
  summary: 'List reconciliations',
  description: 'For operators. Newest first.',
  request: {
    query: z.object({
      cursor,
      limit,
      chainId: z.coerce.number().int().positive().optional().meta({ example: example.chainId }),
      kind: z.enum(['range', 'day']).optional(),
      hasBreaks: z
        .enum(['true', 'false'])
        .optional()
        .meta({ description: 'true: only those that opened a break; false: only those that did not' }),
    }),
  },
  responses: {
    200: {
      description: 'A page',
      content: { 'application/json': { schema: pageSchema(reconciliationSchema).meta({ id: 'ReconciliationPage' }) } },
    },
    ...problems('get', 'forbidden', 'invalid_request'),
  },
})

export function listReconciliations({
  ports: { reconciliations },
}: {
  ports: ApiPorts
}): RouteHandler<typeof listReconciliationsRoute, ApiEnv> {
  return async (c) => {
    const { cursor, limit, chainId, kind, hasBreaks } = c.req.valid('query')
    const page = await reconciliations.list({
      ...{ chainId, kind, after: cursor, countMax: limit },
      hasBreaks: hasBreaks === undefined ? undefined : hasBreaks === 'true',
    })
    return c.json(showPage(page, showReconciliation), 200)
  }
}

export const readReconciliationRoute = createRoute({
  method: 'get',
  path: '/v1/reconciliations/{id}',
  tags: ['Reconciliation'],
  summary: 'Read a reconciliation',
  description: 'For operators. With the transactions that it compared and the breaks that it opened.',
  request: { params: idParams('Reconciliation id', example.reconciliationId) },
  responses: {
    200: { description: 'It', content: { 'application/json': { schema: reconciliationViewSchema } } },
    ...problems('get', 'forbidden', 'not_found'),
  },
})

export function readReconciliation({
  ports: { reconciliations, clock },
}: {
  ports: ApiPorts
}): RouteHandler<typeof readReconciliationRoute, ApiEnv> {
  return async (c) => {
    const { id } = c.req.valid('param')
    const record = await reconciliations.find(id)
    if (record === undefined) throw new RelayError('not_found', 'No such reconciliation.')
    const opened = record.breakCount === 0 ? [] : await reconciliations.openedIn(id, breakCountMax)
    const breaks = opened.map((each) => showBreak(each, clock.nowMillis()))
    const settlements = record.settlements.map((each) => ({ ...each, amount: `${each.amount}` }))
    return c.json({ ...showReconciliation(record), settlements, breaks }, 200)
  }
}
