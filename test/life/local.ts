import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Hex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { freePort } from '../../scripts/embedded/port.ts'
import { type Answer, bodyOf, type Client, createClient } from '../../scripts/local/client.ts'

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

/** What demo payer `index` may still promise. */
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

function accountOf(local: Local, index: number) {
  const key = local.payers[index]?.privateKey
  if (key === undefined) throw new Error(`no payer ${index}`)
  return privateKeyToAccount(key)
}
