import { createRoute, type RouteHandler, z } from '@hono/zod-openapi'
import type { BatchState } from '../../core/batch.ts'
import type { ApiEnv } from '../environment.ts'
import type { ApiPorts } from '../ports.ts'
import { chainIdTextSchema } from '../schemas/fields.ts'
import { isForwardInTime, pageFields, pageRequestOf, pageSchema, showPage } from '../schemas/page.ts'
import { problems } from '../schemas/problem.ts'
import { batchSummarySchema, showBatchSummary } from './batches.ts'

const querySchema = z
  .strictObject({
    ...pageFields('sb'),
    state: batchSummarySchema.shape.state.optional(),
    chainId: chainIdTextSchema.optional(),
  })
  .refine(isForwardInTime.check, isForwardInTime.fault)

export const listBatchesRoute = createRoute({
  method: 'get',
  path: '/v1/batches',
  tags: ['Batches'],
  summary: 'List settlement batches, newest first',
  description:
    'Batches that have, or had, a payment of your app, of its orders, or to a payee that it owned by then; operators see all. Attempts are told by `GET /v1/batches/{id}`.',
  request: { query: querySchema },
  responses: {
    200: {
      description: 'A page of batches',
      content: { 'application/json': { schema: pageSchema(batchSummarySchema) } },
    },
    ...problems('get', 'invalid_request'),
  },
})

export function listBatches({
  ports: { batches },
}: {
  ports: ApiPorts
}): RouteHandler<typeof listBatchesRoute, ApiEnv> {
  return async (c) => {
    const { state, chainId, ...page } = c.req.valid('query')
    const { id, role } = c.get('app')
    const visibleTo = role === 'operator' ? undefined : id
    const found = await batches.list({
      ...pageRequestOf(page),
      ...{ visibleTo, chainId },
      state: state as BatchState | undefined,
    })
    return c.json(showPage(found, showBatchSummary), 200)
  }
}
