import { setTimeout as sleep } from 'node:timers/promises'
import { erc20Abi, parseAbi } from 'viem'
import { localAccounts } from '../local/accounts.ts'
import { localWallet } from '../local/deploy.ts'
import type { Acknowledged, Scene } from './scene.ts'
import type { StepLines } from './terminal.ts'

type IntentView = {
  readonly state: string
  readonly reason: string | null
  readonly batch: { readonly id: string } | null
}
export type BatchView = {
  readonly id: string
  readonly state: string
  readonly mode: string
  readonly contract: string
  readonly paymentCount: number
  readonly blockNumber: string | null
  readonly txHash: string | null
  readonly gasUsed: string | null
}

const waitMillisMax = 60_000

/** Watches the payments through the API, as TP's backend would, until they have reached `state`. */
export async function follow(
  { wallet }: Scene,
  payments: readonly Acknowledged[],
  state: 'included' | 'finalized',
  { say }: StepLines,
): Promise<readonly BatchView[]> {
  const reached = state === 'included' ? ['included', 'finalized'] : ['finalized']
  const batchIds = new Set<string>()
  const startedMillis = performance.now()
  for (const { id } of payments) {
    for (;;) {
      const intent = await wallet.get<IntentView>(`/v1/intents/${id}`)
      if (intent.batch !== null) batchIds.add(intent.batch.id)
      if (reached.includes(intent.state)) break
      if (performance.now() - startedMillis > waitMillisMax) {
        throw new Error(
          `payment ${id} is ${intent.state} after ${waitMillisMax / 1000} s${intent.reason === null ? '' : `: ${intent.reason}`}`,
        )
      }
      say(`${intent.state} → ${state}`)
      await sleep(100)
    }
  }
  return Promise.all([...batchIds].map((id) => wallet.get<BatchView>(`/v1/batches/${id}`)))
}

/** Gas of the plainest payment there is, measured here and now: one ERC-20 transfer, between accounts that hold the token. */
export async function measureTransferGas({ system, token }: Scene): Promise<bigint> {
  const { call } = localWallet({ rpcUrl: system.rpc, account: localAccounts.stranger })
  const { address } = token
  const [, , transferred] = await Promise.all([
    call({
      address,
      abi: parseAbi(['function mint(address to, uint256 amount)']),
      functionName: 'mint',
      args: [localAccounts.stranger.address, 10n],
    }),
    call({ address, abi: erc20Abi, functionName: 'transfer', args: [localAccounts.owner.address, 1n] }),
    call({ address, abi: erc20Abi, functionName: 'transfer', args: [localAccounts.owner.address, 1n] }),
  ])
  return transferred.gasUsed
}
