import { OpenAPIHono } from '@hono/zod-openapi'
import { methodNotAllowed } from 'hono/method-not-allowed'
import { createAccept } from './accept.ts'
import { knownChains } from './chains.ts'
import { createCursors } from './cursors.ts'
import type { ApiEnv } from './environment.ts'
import { commitIntents } from './intake-commits.ts'
import { introduction as introductionOf } from './introduce.ts'
import { createMetrics } from './metrics.ts'
import { logAccess } from './middleware/access-log.ts'
import { authenticate } from './middleware/authenticate.ts'
import { idempotent } from './middleware/idempotency.ts'
import { limitBody, requireJson } from './middleware/json-body.ts'
import { keepUncached } from './middleware/no-store.ts'
import { openToBrowsers } from './middleware/open-to-browsers.ts'
import { answerErrors, answerNotFound, refuseInvalid, refuseMethod } from './middleware/problem.ts'
import { limitRate, limitWatching } from './middleware/rate-limit.ts'
import { identifyRequest } from './middleware/request-id.ts'
import { requireRole } from './middleware/require-role.ts'
import { hardenAnswer } from './middleware/security-headers.ts'
import type { ApiPorts } from './ports.ts'
import { readAccount, readAccountRoute } from './routes/accounts.ts'
import { readAuditRecord, readAuditRecordRoute } from './routes/audit-records.ts'
import { listBatches, listBatchesRoute } from './routes/batch-list.ts'
import { readBatch, readBatchRoute } from './routes/batches.ts'
import {
  assignBreak,
  assignBreakRoute,
  listBreaks,
  listBreaksRoute,
  resolveBreak,
  resolveBreakRoute,
} from './routes/breaks.ts'
import { cancelIntent, cancelIntentRoute } from './routes/cancel.ts'
import { documentation, showErrorIndex, showErrorPage, showStyle } from './routes/docs.ts'
import { listEvents, listEventsRoute } from './routes/events.ts'
import { factsRoute, showFacts } from './routes/facts.ts'
import { health, healthRoute, metricsRoute, ready, readyRoute, showMetrics } from './routes/health.ts'
import { rejectHold, rejectHoldRoute, releaseHold, releaseHoldRoute } from './routes/holds.ts'
import { listIntents, listIntentsRoute } from './routes/intent-list.ts'
import { readIntent, readIntentRoute, submit, submitRoute } from './routes/intents.ts'
import { listOrders, listOrdersRoute } from './routes/order-list.ts'
import { createOrder, createOrderRoute, readOrder, readOrderRoute } from './routes/orders.ts'
import {
  disownPayee,
  disownPayeeRoute,
  listPayees,
  listPayeesRoute,
  preparePayee,
  preparePayeeRoute,
  provePayee,
  provePayeeRoute,
} from './routes/payees.ts'
import { prepare, prepareRoute } from './routes/prepare.ts'
import {
  listReconciliations,
  listReconciliationsRoute,
  readReconciliation,
  readReconciliationRoute,
} from './routes/reconciliations.ts'
import { streamApp, streamAppRoute, watchIntent, watchIntentRoute } from './routes/streams.ts'
import {
  listDeliveries,
  listDeliveriesRoute,
  replayDelivery,
  replayDeliveryRoute,
  testEndpoint,
  testEndpointRoute,
} from './routes/webhook-deliveries.ts'
import {
  changeEndpoint,
  changeEndpointRoute,
  createEndpoint,
  createEndpointRoute,
  listEndpoints,
  listEndpointsRoute,
  readEndpoint,
  readEndpointRoute,
  removeEndpoint,
  removeEndpointRoute,
} from './routes/webhook-endpoints.ts'
import { rotateSecret, rotateSecretRoute } from './routes/webhook-secret.ts'
import { disableEndpoint, disableEndpointRoute, enableEndpoint, enableEndpointRoute } from './routes/webhook-switch.ts'
import { createStreams } from './streams.ts'
import { batchWaker } from './wake.ts'
import { createWatchLinks } from './watch-link.ts'

/** Every POST: each moves money, makes a promise or sends something, so each needs a key. */
const writes = [
  '/v1/orders',
  '/v1/intents',
  '/v1/intents/prepare',
  '/v1/intents/:id/cancel',
  '/v1/holds/:id/release',
  '/v1/holds/:id/reject',
  '/v1/breaks/:id/assign',
  '/v1/breaks/:id/resolve',
  '/v1/payees/prepare',
  '/v1/payees',
  '/v1/webhooks/endpoints',
  '/v1/webhooks/endpoints/:id/rotate-secret',
  '/v1/webhooks/endpoints/:id/test',
  '/v1/webhooks/endpoints/:id/enable',
  '/v1/webhooks/endpoints/:id/disable',
  '/v1/webhooks/deliveries/:id/replay',
]
/** For operators alone, reads too: sums of everybody's money. */
const forOperators = ['/v1/reconciliations', '/v1/reconciliations/*', '/v1/breaks', '/v1/breaks/*']

/** The whole API. A request meets the middleware from top to bottom, then its route; answers go back the same way. */
export function createApp(ports: ApiPorts): OpenAPIHono<ApiEnv> {
  const chains = knownChains(ports)
  const introduction = introductionOf(ports)
  const wakeBatch = batchWaker(ports)
  const metrics = createMetrics({
    waitingCount: () => commits.waitingCount(),
    openBreakCounts: () => ports.reconciliations.openCounts(),
    webhookBacklog: () => ports.webhookDeliveries.backlog(),
    log: ports.log,
  })
  const commits = commitIntents({ ports, metrics, wakeBatch })
  const accept = createAccept({ chains, introduction, commits, ports })
  const streams = createStreams(ports)
  const watchLinks = createWatchLinks(ports)
  const cursors = createCursors(ports)
  const wiring = { ports, chains, introduction, accept, metrics, wakeBatch, streams, watchLinks, cursors }

  const app = new OpenAPIHono<ApiEnv>({ defaultHook: refuseInvalid })
  app.onError(answerErrors(ports))
  app.notFound(answerNotFound(ports))

  app.use(identifyRequest)
  app.use(logAccess({ log: ports.log, metrics }))
  app.use('/v1/intents/:id/stream', openToBrowsers)
  app.use(hardenAnswer)
  app.use(methodNotAllowed({ app, onMethodNotAllowed: refuseMethod }))
  app.use('/v1/*', keepUncached)
  // Before the credentials are asked for: its link is all that it takes. Its requests are counted by address instead.
  app.get('/v1/intents/:id/stream', limitWatching(ports))
  app.openapi(watchIntentRoute, watchIntent(wiring))
  app.use('/v1/*', authenticate(ports))
  app.use('/v1/*', limitRate(ports))
  app.use('/v1/*', limitBody)
  app.on('POST', ['/v1/holds/:id/release', '/v1/holds/:id/reject'], requireRole('operator'))
  for (const path of forOperators) app.use(path, requireRole('operator'))
  app.on('POST', writes, requireJson)
  app.on('PATCH', '/v1/webhooks/endpoints/:id', requireJson)
  app.on('POST', writes, idempotent(ports))

  app.openapi(createOrderRoute, createOrder(wiring))
  app.openapi(listOrdersRoute, listOrders(wiring))
  app.openapi(readOrderRoute, readOrder(wiring))
  app.openapi(prepareRoute, prepare(wiring))
  app.openapi(submitRoute, submit(wiring))
  app.openapi(listIntentsRoute, listIntents(wiring))
  app.openapi(readIntentRoute, readIntent(wiring))
  app.openapi(listEventsRoute, listEvents(wiring))
  app.openapi(cancelIntentRoute, cancelIntent(wiring))
  app.openapi(readAccountRoute, readAccount(wiring))
  app.openapi(listBatchesRoute, listBatches(wiring))
  app.openapi(readBatchRoute, readBatch(wiring))
  app.openapi(readAuditRecordRoute, readAuditRecord(wiring))
  app.openapi(streamAppRoute, streamApp(wiring))
  app.openapi(releaseHoldRoute, releaseHold(wiring))
  app.openapi(rejectHoldRoute, rejectHold(wiring))
  app.openapi(listReconciliationsRoute, listReconciliations(wiring))
  app.openapi(readReconciliationRoute, readReconciliation(wiring))
  app.openapi(listBreaksRoute, listBreaks(wiring))
  app.openapi(assignBreakRoute, assignBreak(wiring))
  app.openapi(resolveBreakRoute, resolveBreak(wiring))

  app.openapi(preparePayeeRoute, preparePayee(wiring))
  app.openapi(provePayeeRoute, provePayee(wiring))
  app.openapi(listPayeesRoute, listPayees(wiring))
  app.openapi(disownPayeeRoute, disownPayee(wiring))
  app.openapi(createEndpointRoute, createEndpoint(wiring))
  app.openapi(listEndpointsRoute, listEndpoints(wiring))
  app.openapi(readEndpointRoute, readEndpoint(wiring))
  app.openapi(changeEndpointRoute, changeEndpoint(wiring))
  app.openapi(removeEndpointRoute, removeEndpoint(wiring))
  app.openapi(rotateSecretRoute, rotateSecret(wiring))
  app.openapi(enableEndpointRoute, enableEndpoint(wiring))
  app.openapi(disableEndpointRoute, disableEndpoint(wiring))
  app.openapi(testEndpointRoute, testEndpoint(wiring))
  app.openapi(listDeliveriesRoute, listDeliveries(wiring))
  app.openapi(replayDeliveryRoute, replayDelivery(wiring))

  app.openapi(factsRoute, showFacts(wiring))
  app.openapi(healthRoute, health)
  app.openapi(readyRoute, ready(wiring))
  app.openapi(metricsRoute, showMetrics(wiring))
  const { openapi, docs } = documentation(app)
  app.get('/openapi.json', openapi)
  app.get('/docs', docs)
  app.get('/docs/style.css', showStyle)
  app.get('/errors', showErrorIndex)
  app.get('/errors/:code', showErrorPage)
  app.get('/', (c) => c.redirect('/docs'))
  return app
}
