import { createRoute, type RouteHandler, z } from '@hono/zod-openapi'
import type { IntentState } from '../../core/intent.ts'
import type { Cursors } from '../cursors.ts'
import type { ApiEnv } from '../environment.ts'
import type { ApiPorts } from '../ports.ts'
import { example } from '../schemas/example.ts'
import { chainIdTextSchema, field } from '../schemas/fields.ts'
import { intentViewSchema, showIntent, stateSchema } from '../schemas/intent.ts'
import { isForwardInTime, pageFields, pageRequestOf, pageSchema, sealedCursorField, showPage } from '../schemas/page.ts'
import { problems } from '../schemas/problem.ts'
import type { WatchLinks } from '../watch-link.ts'

const querySchema = z
  .strictObject({
    ...pageFields('pi'),
    cursor: sealedCursorField,
    state: stateSchema.optional(),
    payer: field.payer.optional(),
    payee: field.payee.optional(),
    token: field.token.optional(),
    chainId: chainIdTextSchema.optional(),
    order: field.orderId.optional(),
    batch: z.string().max(64).optional().meta({ description: 'Batch id', example: example.batchId }),
  })
  .refine(isForwardInTime.check, isForwardInTime.fault)

export const listIntentsRoute = createRoute({
  method: 'get',
  path: '/v1/intents',
  tags: ['Intents'],
  summary: 'List payments, newest first',
  description:
    'What your app submitted, what pays its orders, and what pays payees that it owns; operators see all. Filters add up.',
  request: { query: querySchema },
  responses: {
    200: {
      description: 'A page of payments',
      content: { 'application/json': { schema: pageSchema(intentViewSchema) } },
    },
    ...problems('get', 'invalid_request', 'address_checksum_invalid'),
  },
})

export function listIntents({
  ports: { intents },
  watchLinks,
  cursors,
}: {
  ports: ApiPorts
  cursors: Cursors
  watchLinks: WatchLinks
}): RouteHandler<typeof listIntentsRoute, ApiEnv> {
  return async (c) => {
    const { state, payer, payee, token, chainId, order, batch, cursor, ...page } = c.req.valid('query')
    const { id, role } = c.get('app')
    const found = await intents.list({
      ...pageRequestOf({ ...page, cursor: cursor === undefined ? undefined : cursors.open(cursor, id) }),
      ...{ payer, payee, token, chainId },
      visibleTo: role === 'operator' ? undefined : id,
      state: state as IntentState | undefined,
      orderId: order,
      batchId: batch,
    })
    return c.json(
      showPage(
        found,
        (record) => showIntent(record, watchLinks.urlOf(record.id, c)),
        (position) => cursors.seal(position, id),
      ),
      200,
    )
  }
}
