// A Hardhat node in a process of its own: `node hardhat-node.ts <options as JSON>`, started by chain-hardhat.ts.
import { AsyncLocalStorage } from 'node:async_hooks'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HardhatUserConfig } from 'hardhat/config'
import { createHardhatRuntimeEnvironment } from 'hardhat/hre'
import type { HookContext, NetworkHooks } from 'hardhat/types/hooks'
import type { NetworkConnection } from 'hardhat/types/network'
import { type ChainJournal, type Genesis, openJournal, readJournal } from './chain-journal.ts'
import { type Mining, startMining } from './hardhat-mining.ts'
import { replayJournal } from './hardhat-replay.ts'
import type { Rpc, RpcBlock } from './hardhat-rpc.ts'
import { StartError } from './start-error.ts'

export type HardhatNodeOptions = {
  readonly port: number
  readonly blockSeconds: number
  readonly chainId: number
  readonly hardfork: string
  readonly blockGasLimit: number
  readonly accounts: number
  readonly journalFile?: string
}

/** What a journaled chain refuses, because a signed tx cannot say it and a replay would come out different. */
const unjournaled =
  /^(hardhat_(set(?!LoggingEnabled)|reset|impersonate|mine$)|evm_(snapshot|revert|setAutomine|setIntervalMining|setBlockGasLimit))/

const network = 'ice'
const options = JSON.parse(process.argv[2] ?? '{}') as HardhatNodeOptions

let mining: Mining | undefined
let connection: NetworkConnection<string> | undefined
/** Set while this process itself asks the node: those calls are not a client's. */
const ourOwn = new AsyncLocalStorage<true>()

const hooks: Partial<NetworkHooks> = {
  async newConnection(context, next) {
    const created = await next(context)
    connection = created
    return created
  },
  async onRequest(context, from, request, next) {
    const call = () => next(context as HookContext, from, request)
    if (mining === undefined || ourOwn.getStore()) return await call()
    if (options.journalFile !== undefined && unjournaled.test(request.method)) {
      const message = `${request.method} is refused: this chain keeps a journal, which can hold only signed txs and block times.`
      return { jsonrpc: '2.0', id: request.id, error: { code: -32004, message } }
    }
    return await mining.pass(request.method, call)
  },
}

const rpc: Rpc = async (method, params = []) => {
  if (connection === undefined) throw new Error('The node is asked before it exists.')
  const { provider } = connection
  return (await ourOwn.run(true, () => provider.request({ method, params: [...params] }))) as never
}

async function start(): Promise<{ readonly rpcUrl: string }> {
  const journaled = options.journalFile === undefined ? undefined : await readGenesis(options.journalFile)
  const timestamp = journaled?.timestamp ?? Math.floor(Date.now() / 1000)
  const hre = await createHardhatRuntimeEnvironment(config({ timestamp }))
  const server = await hre.network.createServer(network, '127.0.0.1', options.port)

  const journal = options.journalFile && (await journalFor({ file: options.journalFile, timestamp, isNew: !journaled }))
  mining = await startMining({
    rpc,
    blockSeconds: options.blockSeconds,
    ...(journal ? { journal } : {}),
    onFailure(error) {
      console.error(`A block could not be journaled, so the chain stops: ${(error as Error).message}`)
      process.exit(1)
    },
  })
  const { address, port } = await server.listen()

  stop = async () => {
    await mining?.stop()
    if (journal) await journal.close()
    process.exit(0)
  }
  return { rpcUrl: `http://${address}:${port}` }
}

function config({ timestamp }: { readonly timestamp: number }): HardhatUserConfig {
  const { chainId, hardfork, accounts, blockSeconds } = options
  return {
    plugins: [{ id: 'ice-embedded', hookHandlers: { network: async () => ({ default: async () => hooks }) } }],
    // Without artifacts the node answers a revert with its bytes alone, as a real one does.
    paths: { artifacts: join(tmpdir(), 'ice-no-artifacts'), cache: join(tmpdir(), 'ice-no-cache') },
    networks: {
      [network]: {
        type: 'edr-simulated',
        chainType: 'l1',
        ...{ chainId, hardfork },
        blockGasLimit: options.blockGasLimit,
        accounts: { count: accounts },
        // Blocks are mined from here and not by the node's own interval, so that each is journaled before it is seen.
        mining: { auto: false, interval: 0 },
        initialDate: new Date(timestamp * 1000),
        // A journal may hold such blocks from a start with a shorter interval.
        allowBlocksWithSameTimestamp: blockSeconds < 1 || options.journalFile !== undefined,
        throwOnTransactionFailures: false,
      },
    },
  }
}

async function readGenesis(file: string): Promise<Genesis | undefined> {
  for await (const line of readJournal(file)) {
    if ('version' in line) return line
    break
  }
  return undefined
}

async function journalFor({
  file,
  timestamp,
  isNew,
}: {
  readonly file: string
  readonly timestamp: number
  readonly isNew: boolean
}): Promise<ChainJournal> {
  const { hash } = await rpc<RpcBlock>('eth_getBlockByNumber', ['0x0', false])
  const { chainId, hardfork, blockGasLimit, accounts } = options
  const genesis: Genesis = { version: 1, chainId, hardfork, blockGasLimit, accounts, timestamp, hash }
  if (!isNew) await replayJournal({ file, genesis, rpc })
  const journal = await openJournal(file)
  if (isNew) await journal.append([genesis])
  return journal
}

let stop: () => unknown = () => process.exit(0)
process.once('disconnect', () => stop())
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => stop())

try {
  process.send?.({ ready: await start() })
} catch (error) {
  if (!(error instanceof StartError)) throw error
  process.send?.({ failed: error.message }, () => process.exit(1))
}
