import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createApps } from '../../adapters/postgres/apps.ts'
import { connectDatabase } from '../../adapters/postgres/database.ts'
import { migrate } from '../../adapters/postgres/migrate.ts'
import { type LocalArweave, startArweave } from '../embedded/arweave.ts'
import { startAnvil } from '../embedded/chain-anvil.ts'
import { startHardhat } from '../embedded/chain-hardhat.ts'
import { startNode } from '../embedded/child.ts'
import { type LocalIpfs, startIpfs } from '../embedded/ipfs.ts'
import { assertPortFree } from '../embedded/port.ts'
import { startPostgres } from '../embedded/postgres.ts'
import { StartError } from '../embedded/start-error.ts'
import { localAccounts, privateKeyOf } from './accounts.ts'
import { build } from './build.ts'
import { type Deployment, deploy } from './deploy.ts'
import { type Home, type Memory, newSecrets } from './home.ts'
import type { Options } from './options.ts'

/** A whole ICE on this machine: real Postgres, chain, API and relayer, each a process of its own. */
export type System = {
  readonly api: string
  /** All APIs, `api` being the first: one unless more were asked for. */
  readonly apis: readonly string[]
  readonly rpc: string
  readonly chain: 'hardhat' | 'anvil'
  readonly deployment: Deployment
  /** Where anybody reads audit records; undefined: an IPFS node of your own has them. */
  readonly archives: { readonly ipfs: string | undefined; readonly arweave: string }
  readonly apps: Readonly<Record<'wallet' | 'merchant' | 'operator', AppCredentials>>
  /** Stops everything in order: first who writes, last what is written to. */
  readonly stop: () => Promise<void>
  /** Resolves with one sentence if a part ends by itself. */
  readonly broken: Promise<string>
}
export type AppCredentials = { readonly id: string; readonly secret: string }

const blockSeconds = 1
/** Reading a long chain from its start takes a while. */
const readyMillisMax = 120_000
const settings = { hardhat: { rule: 'depth', depth: 2 }, anvil: { rule: 'tag' } } as const

/**
 * @param onStep hears what is being started, for people who watch
 * @param processCount APIs, and relayers; those after the first API listen on any free port
 */
export async function startSystem({
  options,
  home,
  onStep,
  processCount = 1,
}: {
  options: Options
  home: Home
  onStep: (part: string) => void
  processCount?: number
}): Promise<System> {
  const stops: (() => Promise<void>)[] = []
  const stop = once(async () => {
    for (const each of stops.toReversed()) await each()
  })
  try {
    await assertPortFree(options.port, '127.0.0.1')
    assertSameChain(options, home.earlier)

    onStep('Postgres, the chain, the archives and the contracts')
    const [postgres, chain, ipfs, arweave] = await allStarted(
      [
        startPostgres({ directory: join(home.path, 'postgres') }),
        startChain(options, home),
        startIpfs({ directory: join(home.path, 'ipfs') }),
        startArweave({ directory: join(home.path, 'arweave') }),
        build(),
      ],
      stops,
    )

    onStep('the vault on the chain')
    const deployment = home.earlier?.deployment ?? (await deploy(chain))
    const secrets = home.earlier?.secrets ?? newSecrets()
    await home.remember({ chain: options.chain, deployment, secrets })

    const apps = {
      wallet: { id: 'app_tokenpocket', secret: secrets.wallet },
      merchant: { id: 'app_merchant', secret: secrets.merchant },
      operator: { id: 'app_operator', secret: secrets.operator },
    }
    await registerApps(postgres.url, apps)

    onStep('the API and the relayer')
    const environment = {
      ...process.env,
      DATABASE_URL: postgres.url,
      ICE_CONFIG: await writeConfig(home, chain.rpcUrl, options, deployment),
      SECRET_KEYS: secrets.key,
      // The demo apps listen on this machine.
      WEBHOOK_ALLOW_LOOPBACK: 'true',
    }
    const relayers = Array.from({ length: processCount }, () =>
      startNode({
        entry: pathOf('../../relayer/main.ts'),
        name: 'The relayer',
        env: {
          ...environment,
          LANE_SIGNERS: localAccounts.lanes.map((lane) => `local:${privateKeyOf(lane)}`).join(','),
          ...archiveSettings(ipfs, arweave),
          LOG_LEVEL: process.env.LOG_LEVEL ?? 'warn',
        },
        onLine: toErrorOutput,
      }),
    )
    const apis = Array.from({ length: processCount }, (_, index) =>
      startNode<{ readonly url: string }>({
        entry: pathOf('../../api/main.ts'),
        name: 'The API',
        env: {
          ...environment,
          PORT: index === 0 ? `${options.port}` : '0',
          HOST: '127.0.0.1',
          ACKNOWLEDGER: `local:${privateKeyOf(localAccounts.acknowledger)}`,
          LOG_LEVEL: process.env.LOG_LEVEL ?? 'warn',
        },
        onLine: toErrorOutput,
      }),
    )
    const starts = [allStarted(relayers, stops), allStarted(apis, stops)] as const
    await Promise.allSettled(starts)
    const [startedRelayers, startedApis] = await Promise.all(starts)
    const urls = startedApis.map(({ ready }) => ready.url)
    const [api] = urls
    if (api === undefined) throw new StartError('A system has one API at least.')
    onStep('the first look at the chain')
    await Promise.all(urls.map(whenReady))
    return {
      api,
      apis: urls,
      rpc: chain.rpcUrl,
      chain: options.chain,
      deployment,
      archives: archivesOf(ipfs, arweave),
      apps,
      stop,
      broken: Promise.race([
        ...startedApis.map((part) => part.exited.then(() => `The API ended by itself.\n${part.lastLines()}`)),
        ...startedRelayers.map((part) => part.exited.then(() => `The relayer ended by itself.\n${part.lastLines()}`)),
        ipfs.exited.then(() => `The local IPFS gateway ended by itself.\n${ipfs.lastLines()}`),
        arweave.exited.then(() => `The local Arweave node ended by itself.\n${arweave.lastLines()}`),
      ]),
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The API says of itself when it can take payments: once the relayer has read the chain. */
async function whenReady(api: string): Promise<void> {
  const deadline = performance.now() + readyMillisMax
  for (;;) {
    const response = await fetch(`${api}/readyz`)
    if (response.ok) return
    if (performance.now() > deadline) {
      throw new StartError(`The API is not ready after ${readyMillisMax / 1000} s: ${await response.text()}`)
    }
    await sleep(50)
  }
}

/** What the environment says stands: an IPFS node or an Arweave gateway of your own instead of the local ones. */
function archiveSettings(ipfs: LocalIpfs, arweave: LocalArweave): NodeJS.ProcessEnv {
  const { IPFS_API_URL, ARWEAVE_GATEWAY_URL } = process.env
  return {
    ...(IPFS_API_URL === undefined ? { IPFS_DIRECTORY: ipfs.directory } : {}),
    ...(ARWEAVE_GATEWAY_URL === undefined
      ? {
          ARWEAVE_GATEWAY_URL: arweave.url,
          ARWEAVE_KEY_FILE: arweave.keyFile,
          ARWEAVE_CONFIRMATIONS_MIN: '1',
          ARWEAVE_LOOK_MILLIS: '200',
        }
      : {}),
  }
}

function archivesOf(ipfs: LocalIpfs, arweave: LocalArweave): System['archives'] {
  const { IPFS_API_URL, ARWEAVE_GATEWAY_URL } = process.env
  return {
    ipfs: IPFS_API_URL === undefined ? ipfs.url : undefined,
    arweave: ARWEAVE_GATEWAY_URL ?? arweave.url,
  }
}

type Stoppable = { readonly stop: () => Promise<void> }

/** Waits for all, so that whatever did start is stopped even if another did not. */
async function allStarted<Parts extends readonly unknown[]>(
  starting: { readonly [Index in keyof Parts]: Promise<Parts[Index]> },
  stops: (() => Promise<void>)[],
): Promise<Parts> {
  const outcomes = await Promise.allSettled(starting)
  for (const outcome of outcomes) {
    if (outcome.status === 'fulfilled' && isStoppable(outcome.value)) stops.push(outcome.value.stop)
  }
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  return outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : undefined)) as unknown as Parts
}

function isStoppable(value: unknown): value is Stoppable {
  return typeof value === 'object' && value !== null && 'stop' in value
}

function startChain(
  options: Options,
  home: Home,
): Promise<Stoppable & { readonly rpcUrl: string; readonly chainId: number }> {
  const port = options.rpcPort === undefined ? {} : { port: options.rpcPort }
  if (options.chain === 'anvil') {
    return startAnvil({
      ...port,
      blockSeconds,
      ...(home.isKept ? { stateFile: join(home.path, 'anvil-state.json') } : {}),
    })
  }
  return startHardhat({
    ...port,
    blockSeconds,
    ...(home.isKept ? { journalFile: join(home.path, 'hardhat-journal.jsonl') } : {}),
  })
}

function assertSameChain({ chain }: Options, earlier: Memory | undefined): void {
  if (earlier !== undefined && earlier.chain !== chain) {
    throw new StartError(`The --data folder was made with --chain ${earlier.chain}. Use that, or another folder.`)
  }
}

async function registerApps(url: string, credentials: System['apps']): Promise<void> {
  const database = connectDatabase({
    url,
    poolMax: 2,
    onIdleError: (error) => process.stderr.write(`${error.message}\n`),
  })
  try {
    await migrate(database)
    const apps = createApps(database)
    const names = { wallet: 'TokenPocket (simulated)', merchant: 'Demo merchants', operator: 'Demo operator' } as const
    for (const who of ['wallet', 'merchant', 'operator'] as const) {
      const { id, secret } = credentials[who]
      const secretSha256 = createHash('sha256').update(secret).digest()
      await apps.put({ id, name: names[who], role: who === 'operator' ? 'operator' : 'app', secretSha256 })
    }
  } finally {
    await database.destroy()
  }
}

/** The same file that production writes by hand. @see core/config.ts */
async function writeConfig(home: Home, rpcUrl: string, { chain }: Options, deployment: Deployment): Promise<string> {
  const { chainId, vault, pullSettler, startBlock, tokens } = deployment
  const config = {
    chains: [
      {
        chainId,
        name: chain,
        rpcUrls: [rpcUrl],
        vault,
        pullSettler,
        relayerId: deployment.relayerId,
        startBlock,
        blockSeconds,
        finality: settings[chain],
        tokens: tokens.map(({ address, symbol, decimals, scale, authorization, permit }) => {
          const whole = (units: bigint): string => `${units * 10n ** BigInt(decimals)}`
          return {
            address,
            symbol,
            decimals,
            scale,
            amountMin: scale,
            amountMax: whole(100_000n),
            holdAbove: whole(10_000n),
            authorization,
            permit,
          }
        }),
        batch: { ageMillisMax: 1_500 },
      },
    ],
  }
  const path = join(home.path, 'config.json')
  await writeFile(path, JSON.stringify(config, null, 2))
  return path
}

function pathOf(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url))
}

function toErrorOutput(line: string): void {
  process.stderr.write(`${line}\n`)
}

function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  return () => {
    running ??= work()
    return running
  }
}
