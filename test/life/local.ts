import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createPublicClient, createWalletClient, erc20Abi, type Hex, http, parseAbi } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import { vaultAbi } from '../../core/protocol/vault-abi.ts'
import { freePort } from '../../scripts/embedded/port.ts'
import { type Answer, bodyOf, type Client, createClient } from '../../scripts/story/client.ts'

const entry = fileURLToPath(new URL('../../scripts/start.mjs', import.meta.url))

/** `node scripts/start.mjs` as a user's shell runs it. */
export function run(
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): {
  readonly process: ChildProcess
  readonly ended: Promise<{ code: number | null; text: string }>
} {
  const child = spawn(process.execPath, [entry, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', ...environment },
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk))
  return { process: child, ended: once(child, 'close').then(([code]) => ({ code, text })) }
}

type Ready = {
  readonly api: string
  readonly rpc: string
  readonly chainId: number
  readonly relayerId: number
  readonly contracts: { readonly vault: Hex }
  readonly tokens: readonly { readonly address: Hex; readonly symbol: string; readonly decimals: number }[]
  readonly app: { readonly id: string; readonly secret: string }
  readonly payers: readonly { readonly address: Hex; readonly privateKey: Hex }[]
  readonly merchants: readonly { readonly address: Hex }[]
}
export type Local = Ready & {
  readonly client: Client
  readonly process: ChildProcess
  readonly stop: () => Promise<number | null>
}

/** `npm start -- --serve --json`, when its line has come. */
export async function serve(args: readonly string[]): Promise<Local> {
  const port = await freePort()
  const { process: child, ended } = run(['--serve', '--json', '--port', `${port}`, ...args])
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  const first = await Promise.race([once(lines, 'line'), ended])
  if (!Array.isArray(first)) throw new Error(first.text)
  const ready: Ready = JSON.parse(first[0])
  return {
    ...ready,
    client: createClient(ready.api, ready.app),
    process: child,
    stop: async () => {
      child.kill('SIGINT')
      return (await ended).code
    },
  }
}

/** The wallet of demo payer `index` brings `amount` into the vault; resolves when ICE counts it. */
export async function fund(local: Local, index: number, amount: bigint): Promise<void> {
  const account = accountOf(local, index)
  const token = local.tokens[0]?.address
  if (token === undefined) throw new Error('no token')
  const transport = http(local.rpc)
  const wallet = createWalletClient({ account, chain: hardhat, transport })
  const reader = createPublicClient({ chain: hardhat, transport, pollingInterval: 100 })
  const { vault } = local.contracts
  const calls = [
    {
      address: token,
      abi: parseAbi(['function mint(address to, uint256 amount)']),
      functionName: 'mint',
      args: [account.address, amount],
    },
    { address: token, abi: erc20Abi, functionName: 'approve', args: [vault, amount] },
    { address: vault, abi: vaultAbi, functionName: 'deposit', args: [token, amount, local.relayerId] },
  ] as const
  for (const call of calls) {
    const hash = await wallet.writeContract({ ...call, gas: 500_000n } as Parameters<typeof wallet.writeContract>[0])
    await reader.waitForTransactionReceipt({ hash })
  }
  while ((await available(local, index)) < amount) await sleep(200)
}

export async function available(local: Local, index: number): Promise<bigint> {
  const { address } = accountOf(local, index)
  const path = `/v1/accounts/${address}?chainId=${local.chainId}&token=${local.tokens[0]?.address}`
  return BigInt((await local.client.get<{ available: string }>(path)).available)
}

type Prepared = {
  readonly intent: Record<string, unknown>
  readonly typedData: Parameters<ReturnType<typeof accountOf>['signTypedData']>[0]
}

/** Prepares, signs and submits one payment to the first merchant. */
export async function pay(local: Local, index: number, amount: bigint): Promise<Answer<{ readonly id: string }>> {
  const account = accountOf(local, index)
  const body = {
    chainId: local.chainId,
    payer: account.address,
    payee: local.merchants[0]?.address,
    token: local.tokens[0]?.address,
    amount: `${amount}`,
  }
  const { intent, typedData } = bodyOf(await local.client.post<Prepared>('/v1/intents/prepare', body))
  return local.client.post('/v1/intents', { intent, signature: await account.signTypedData(typedData) })
}

export async function finalized(local: Local, id: string): Promise<void> {
  for (;;) {
    const { state } = await local.client.get<{ state: string }>(`/v1/intents/${id}`)
    if (state === 'finalized') return
    if (['failed', 'expired', 'cancelled', 'rejected'].includes(state)) throw new Error(`${id} is ${state}`)
    await sleep(100)
  }
}

export function accountOf(local: Local, index: number) {
  const key = local.payers[index]?.privateKey
  if (key === undefined) throw new Error(`no payer ${index}`)
  return privateKeyToAccount(key)
}
