import { hostname } from 'node:os'
import { createArweaveStore } from '../adapters/arweave/store.ts'
import { parseWallet } from '../adapters/arweave/transaction.ts'
import { createQueue } from '../adapters/bullmq/queue.ts'
import { loadConfig } from '../adapters/config/file.ts'
import { createSecrets } from '../adapters/crypto/secrets.ts'
import { createWebhookKeys } from '../adapters/crypto/webhook-keys.ts'
import { connectChain } from '../adapters/evm/chain.ts'
import { signTransaction } from '../adapters/evm/transaction.ts'
import { createPost } from '../adapters/http/post.ts'
import { openBlockStore } from '../adapters/ipfs/block-store.ts'
import { connectKubo } from '../adapters/ipfs/kubo-client.ts'
import { createLog } from '../adapters/log/pino.ts'
import { createArchive } from '../adapters/postgres/archive.ts'
import { createAudit } from '../adapters/postgres/audit.ts'
import { createBatching } from '../adapters/postgres/batching.ts'
import { newId } from '../adapters/postgres/codec.ts'
import { createConfirmation } from '../adapters/postgres/confirmation.ts'
import { connectDatabase } from '../adapters/postgres/database.ts'
import { createFinalization } from '../adapters/postgres/finalization.ts'
import { createIdempotency } from '../adapters/postgres/idempotency.ts'
import { createLanes } from '../adapters/postgres/lanes.ts'
import { migrate } from '../adapters/postgres/migrate.ts'
import { createNotification } from '../adapters/postgres/notification.ts'
import { createReconciliation } from '../adapters/postgres/reconciliation.ts'
import { createUpkeep } from '../adapters/postgres/upkeep.ts'
import { exitWith, orExit } from '../adapters/process/exit.ts'
import { openSigner } from '../adapters/signer/open.ts'
import { type ChainConfig, contractsOf } from '../core/config.ts'
import type { Clock } from '../core/ports/clock.ts'
import type { LaneSigner } from '../core/ports/lane-signer.ts'
import type { Signer } from '../core/ports/signer.ts'
import { developmentKeyWarning } from '../core/signer-uri.ts'
import { askedOf, disagreements } from '../core/vault-facts.ts'
import { expectNoOrphans } from './orphans.ts'
import { startRelayer } from './relayer.ts'
import { readSettings, retiringLanes } from './settings.ts'
import type { StageContext } from './stage.ts'

const settings = orExit(() => readSettings(process.env))
const log = createLog({ level: settings.LOG_LEVEL, name: 'relayer' })
const clock: Clock = { nowMillis: () => Date.now() }
const config = await loadConfig(settings.ICE_CONFIG).catch(exitWith)
const opened = await Promise.all(settings.LANE_SIGNERS.map(openSigner)).catch(exitWith)
const addresses = opened.map(({ address }) => address)
const retiring = orExit(() => retiringLanes(settings, addresses))
const signers = opened.map(laneSigner)
const keyWarning = developmentKeyWarning(settings.LANE_SIGNERS, config)
if (keyWarning !== undefined) log.warn({ lanes: addresses }, keyWarning)
const database = connectDatabase({
  url: settings.DATABASE_URL,
  onIdleError: (error) => log.warn({ reason: error.message }, 'a database connection broke and is replaced'),
})
await migrate(database)

const holder = `${hostname()}/${process.pid}/${process.hrtime.bigint()}`
const stores = await openStores().catch(exitWith)
const contexts = await Promise.all(config.chains.flatMap(contractsOf).map(contextOf)).catch(exitWith)
const connection =
  settings.REDIS_URL === undefined ? { postgres: settings.DATABASE_URL } : { redis: settings.REDIS_URL }
const queue = await createQueue({ connection, log, clock })
const relayer = await startRelayer({
  contexts,
  queue,
  books: createUpkeep(database, createIdempotency(database)),
  webhooks: {
    notification: createNotification(database),
    post: createPost({ allowsLoopback: settings.WEBHOOK_ALLOW_LOOPBACK }),
    keys: createWebhookKeys(createSecrets(settings.SECRET_KEYS)),
    clock,
    chance: Math.random,
    log,
  },
  log,
})
log.info(
  { chains: config.chains.map(({ name }) => name), lanes: addresses, retiring: [...retiring] },
  'the relayer works',
)
let isStopping = false
for (const signal of ['SIGTERM', 'SIGINT', 'disconnect'] as const) process.on(signal, () => void stop())
// Who hears this may ask it to stop at once.
process.send?.({ ready: { lanes: addresses } })

/** Lets stages come to their end; what is cut off is found by the next process in the rows. */
async function stop(): Promise<void> {
  if (isStopping) return
  isStopping = true
  setTimeout(() => process.exit(1), 10_000).unref()
  await relayer.stop()
  await queue.close()
  await database.destroy()
  process.exit(0)
}

async function contextOf(chainConfig: ChainConfig): Promise<StageContext> {
  const chain = connectChain({ ...chainConfig, log })
  // A lane that retires need not be known any more: what it still sends is then refused, and its payments go elsewhere.
  const senders = addresses.filter((address) => !retiring.has(address))
  const facts = await chain.vaultFacts({ ...askedOf(chainConfig), senders })
  const wrong = disagreements(chainConfig, facts, { senders, authority: undefined })
  if (wrong.length > 0) throw new Error(`Nothing is signed, because ${wrong.join('; ')}.`)
  const lanes = createLanes(database)
  for (const { signer, batchCount } of await expectNoOrphans(
    { lanes, config: chainConfig, signers },
    settings.LANES_ABSENT,
  )) {
    log.warn({ signer, batchCount }, 'open batches are bound to a signer that LANES_ABSENT names: not driven here')
  }
  return {
    config: chainConfig,
    chain,
    signers,
    batching: createBatching(database),
    lanes,
    confirmation: createConfirmation(database),
    finalization: createFinalization(database),
    audit: createAudit(database),
    archive: createArchive(database),
    stores,
    reconciliation: createReconciliation(database),
    clock,
    log,
    holder,
    newId,
  }
}

async function openStores(): Promise<StageContext['stores']> {
  const timeoutMillisMax = settings.ARCHIVE_TIMEOUT_MILLIS_MAX
  const { IPFS_API_URL: url, IPFS_DIRECTORY: directory } = settings
  return {
    ipfs: url === undefined ? await openBlockStore(directory ?? '') : connectKubo({ url, timeoutMillisMax }),
    arweave: createArweaveStore({
      gatewayUrl: settings.ARWEAVE_GATEWAY_URL,
      wallet: parseWallet(settings.ARWEAVE_KEY_FILE),
      confirmationsMin: settings.ARWEAVE_CONFIRMATIONS_MIN,
      rewardWinstonMax: settings.ARWEAVE_REWARD_WINSTON_MAX,
      lookEveryMillis: settings.ARWEAVE_LOOK_MILLIS,
      timeoutMillisMax,
    }),
  }
}

function laneSigner(signer: Signer): LaneSigner {
  return {
    address: signer.address,
    isRetiring: retiring.has(signer.address),
    sign: async ({ accountNonce, data, gasLimit, ...rest }) => {
      const { raw, hash } = await signTransaction({ ...rest, signer, nonce: accountNonce, data, gas: gasLimit })
      return { rawTx: raw, hash }
    },
  }
}
