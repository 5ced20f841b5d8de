import type { Server } from 'node:http'
import { generatePrivateKey } from 'viem/accounts'
import { createQueue } from '../adapters/bullmq/queue.ts'
import { loadConfig } from '../adapters/config/file.ts'
import { createSecrets } from '../adapters/crypto/secrets.ts'
import { createSignatures } from '../adapters/crypto/signatures.ts'
import { createWebhookKeys } from '../adapters/crypto/webhook-keys.ts'
import { createAcknowledger } from '../adapters/evm/acknowledger.ts'
import { connectChain } from '../adapters/evm/chain.ts'
import { createLog } from '../adapters/log/pino.ts'
import { createMemoryRateLimit } from '../adapters/memory/rate-limit.ts'
import { createAccounts } from '../adapters/postgres/accounts.ts'
import { createApps } from '../adapters/postgres/apps.ts'
import { createAuditRecords } from '../adapters/postgres/audit-records.ts'
import { createBatches } from '../adapters/postgres/batches.ts'
import { newId } from '../adapters/postgres/codec.ts'
import { connectDatabase } from '../adapters/postgres/database.ts'
import { createEvents } from '../adapters/postgres/events.ts'
import { createIdempotency } from '../adapters/postgres/idempotency.ts'
import { createIntake } from '../adapters/postgres/intake.ts'
import { createIntents } from '../adapters/postgres/intents.ts'
import { migrate } from '../adapters/postgres/migrate.ts'
import { createOrders } from '../adapters/postgres/orders.ts'
import { createPayees } from '../adapters/postgres/payees.ts'
import { createReconciliations } from '../adapters/postgres/reconciliations.ts'
import { createWebhookDeliveries } from '../adapters/postgres/webhook-deliveries.ts'
import { createWebhookEndpoints } from '../adapters/postgres/webhook-endpoints.ts'
import { exitWith, orExit } from '../adapters/process/exit.ts'
import { createRedisRateLimit } from '../adapters/redis/rate-limit.ts'
import { localSigner } from '../adapters/signer/local.ts'
import { openSigner } from '../adapters/signer/open.ts'
import { contractKey, contractsOf } from '../core/config.ts'
import type { Clock } from '../core/ports/clock.ts'
import { developmentKeyWarning } from '../core/signer-uri.ts'
import { createApp } from './app.ts'
import { checkReadiness } from './readiness.ts'
import { listen } from './server.ts'
import { readSettings } from './settings.ts'
import { proveSignatureCheck } from './signature.ts'
import { checkVaults } from './vaults.ts'

/** What is not finished by then is cut off; retries with the same Idempotency-Key find out what happened. */
const stopMillisMax = 10_000

const settings = orExit(() => readSettings(process.env))
const log = createLog({ level: settings.LOG_LEVEL, name: 'api' })
const clock: Clock = { nowMillis: () => Date.now() }
/** What is to be let go of, in the order it was taken. Signals are heard before the first wait. */
const releases: (() => unknown)[] = []
const stopping = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT', 'disconnect'] as const) process.on(signal, () => void stop())

const config = await loadConfig(settings.ICE_CONFIG).catch(exitWith)
const authority = await openSigner(settings.ACKNOWLEDGER).catch(exitWith)
const keyWarning = developmentKeyWarning([settings.ACKNOWLEDGER], config)
if (keyWarning !== undefined) log.warn({ authority: authority.address }, keyWarning)

const database = connectDatabase({
  url: settings.DATABASE_URL,
  onIdleError: (error) => log.warn({ reason: error.message }, 'A database connection broke and is replaced.'),
})
releases.push(() => database.destroy())
await migrate(database).catch((error: Error) => exitWith(new Error(`The database cannot be used: ${error.message}`)))
const connection =
  settings.REDIS_URL === undefined ? { postgres: settings.DATABASE_URL } : { redis: settings.REDIS_URL }
const chains = new Map(
  config.chains
    .flatMap(contractsOf)
    .map((contract) => [contractKey(contract), connectChain({ ...contract, log })] as const),
)
await checkVaults({ config, chains, authority: authority.address, log }).catch(exitWith)
const signatures = await createSignatures()
orExit(() => proveSignatureCheck(signatures))
if (signatures.engine !== 'native')
  log.warn({}, 'Signatures are checked in JavaScript, some fifty times slower: secp256k1 has no binary here.')
const queue = await createQueue({ connection, log, clock }).catch(exitWith)
releases.push(() => queue.close())

const acknowledger = await createAcknowledger({
  authorities: new Map(
    config.chains.map(({ chainId, relayerId, vault }) => [chainId, { authority, relayerId, vault }]),
  ),
  newKey: () => localSigner(generatePrivateKey()),
  clock,
  log,
})
releases.push(() => acknowledger.stop())
const ownRates = createMemoryRateLimit()
const rateLimit =
  settings.REDIS_URL === undefined
    ? ownRates
    : createRedisRateLimit({ url: settings.REDIS_URL, fallback: ownRates, log, clock })
releases.push(() => rateLimit.close())
const accounts = createAccounts(database)
const secrets = createSecrets(settings.SECRET_KEYS)
const app = createApp({
  config,
  authority: authority.address,
  apps: createApps(database),
  idempotency: createIdempotency(database),
  orders: createOrders(database),
  accounts,
  intake: createIntake({ database, acknowledger, newId }),
  intents: createIntents({ database, acknowledger, newId }),
  batches: createBatches(database),
  auditRecords: createAuditRecords(database),
  reconciliations: createReconciliations(database),
  events: createEvents(database),
  payees: createPayees(database),
  webhookEndpoints: createWebhookEndpoints(database),
  webhookDeliveries: createWebhookDeliveries(database),
  webhookKeys: createWebhookKeys(secrets),
  allowsLoopback: settings.WEBHOOK_ALLOW_LOOPBACK,
  chains,
  queue,
  secrets,
  signatures,
  rateLimit,
  limits: {
    appRequestsMax: settings.APP_REQUESTS_MAX,
    appIntentsMax: settings.APP_INTENTS_MAX,
    failedLoginsMax: settings.FAILED_LOGINS_MAX,
    watchRequestsMax: settings.WATCH_REQUESTS_MAX,
    streamsMax: settings.STREAMS_MAX,
    streamsPerAppMax: settings.STREAMS_PER_APP_MAX,
    proxyHops: settings.PROXY_HOPS,
  },
  stopping: stopping.signal,
  clock,
  log,
  newId,
  isReady: checkReadiness({ config, accounts, clock }),
  publicUrl: settings.PUBLIC_URL,
})

const server = listen({
  fetch: app.fetch,
  host: settings.HOST,
  port: settings.PORT,
  onListening: ({ address, port, family }) => {
    const url = settings.PUBLIC_URL ?? `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
    log.info({ url }, 'The API listens.')
    process.send?.({ ready: { url } })
  },
})
releases.push(() => closed(server))
server.once('error', (error) =>
  exitWith(new Error(`The API cannot listen on ${settings.HOST}:${settings.PORT}: ${error.message}`)),
)

/** Ends streams, takes no more, finishes what it took, then lets go of queue and database. */
async function stop(): Promise<void> {
  if (stopping.signal.aborted) return
  log.info({}, 'The API stops.')
  setTimeout(() => process.exit(1), stopMillisMax).unref()
  stopping.abort()
  for (const release of releases.toReversed()) await release()
  process.exit(0)
}

function closed(listening: Server): Promise<void> {
  return new Promise((resolve) => {
    listening.close(() => resolve())
    // Connections that wait for a next request would hold up the end.
    listening.closeIdleConnections()
  })
}
