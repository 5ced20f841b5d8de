import { hostname } from 'node:os'
import { z } from 'zod'
import { createQueue } from '../adapters/bullmq/queue.ts'
import { loadConfig } from '../adapters/config/file.ts'
import { connectChain } from '../adapters/evm/chain.ts'
import { signTransaction } from '../adapters/evm/transaction.ts'
import { createLog } from '../adapters/log/pino.ts'
import { createBatching } from '../adapters/postgres/batching.ts'
import { newId } from '../adapters/postgres/codec.ts'
import { createConfirmation } from '../adapters/postgres/confirmation.ts'
import { connectDatabase } from '../adapters/postgres/database.ts'
import { createFinalization } from '../adapters/postgres/finalization.ts'
import { createIdempotency } from '../adapters/postgres/idempotency.ts'
import { createLanes } from '../adapters/postgres/lanes.ts'
import { migrate } from '../adapters/postgres/migrate.ts'
import { createUpkeep } from '../adapters/postgres/upkeep.ts'
import { localSigner } from '../adapters/signer/local.ts'
import type { ChainConfig } from '../core/config.ts'
import type { Clock } from '../core/ports/clock.ts'
import type { LaneSigner } from '../core/ports/lane-signer.ts'
import type { Signer } from '../core/ports/signer.ts'
import { disagreements } from '../core/vault-facts.ts'
import { startRelayer } from './relayer.ts'
import type { StageContext } from './stage.ts'

const environment = z
  .object({
    /** Postgres: the system of record. */
    DATABASE_URL: z.url(),
    /** Wake-ups run on Redis if set, else on the same Postgres. */
    REDIS_URL: z.url().optional(),
    /** Path of the JSON file that lists the chains. @see core/config.ts */
    ICE_CONFIG: z.string().min(1),
    /** Private keys of the lanes, separated by commas; each must be a sender that the vault knows. */
    LANE_KEYS: z
      .string()
      .regex(/^0x[0-9a-fA-F]{64}(,0x[0-9a-fA-F]{64})*$/, 'keys of 32 bytes in hex, separated by commas'),
    LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  })
  .parse(process.env)

const log = createLog({ level: environment.LOG_LEVEL, name: 'relayer' })
const clock: Clock = { nowMillis: () => Date.now() }
const config = await loadConfig(environment.ICE_CONFIG)
const database = connectDatabase({
  url: environment.DATABASE_URL,
  onIdleError: (error) => log.warn({ reason: error.message }, 'a database connection broke and is replaced'),
})
await migrate(database)

const signers = environment.LANE_KEYS.split(',').map((key) => laneSigner(localSigner(key as `0x${string}`)))
const contexts = await Promise.all(config.chains.map(contextOf))
const connection =
  environment.REDIS_URL === undefined ? { postgres: environment.DATABASE_URL } : { redis: environment.REDIS_URL }
const queue = await createQueue({ connection, log, clock })
const relayer = await startRelayer({
  contexts,
  queue,
  books: createUpkeep(database, createIdempotency(database)),
  log,
})
log.info(
  { chains: config.chains.map(({ name }) => name), lanes: signers.map(({ address }) => address) },
  'the relayer works',
)
process.send?.({ ready: { lanes: signers.map(({ address }) => address) } })

let isStopping = false
for (const signal of ['SIGTERM', 'SIGINT', 'disconnect'] as const) process.on(signal, () => void stop())

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
  const chain = connectChain({ rpcUrl: chainConfig.rpcUrl, vault: chainConfig.vault, log })
  const wrong = disagreements(chainConfig, { chainId: await chain.chainId(), ...(await chain.vaultFacts()) })
  if (wrong.length > 0) throw new Error(`Nothing is signed, because ${wrong.join('; ')}.`)
  return {
    config: chainConfig,
    chain,
    signers,
    batching: createBatching(database),
    lanes: createLanes(database),
    confirmation: createConfirmation(database),
    finalization: createFinalization(database),
    clock,
    log,
    holder: `${hostname()}/${process.pid}/${process.hrtime.bigint()}`,
    newId,
  }
}

function laneSigner(signer: Signer): LaneSigner {
  return {
    address: signer.address,
    sign: async ({ accountNonce, data, gasLimit, ...rest }) => {
      const { raw, hash } = await signTransaction({ ...rest, signer, nonce: accountNonce, data, gas: gasLimit })
      return { rawTx: raw, hash }
    },
  }
}
