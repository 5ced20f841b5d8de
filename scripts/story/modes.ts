import { setTimeout as sleep } from 'node:timers/promises'
import { type Address, erc20Abi, type hashTypedData, parseAbi } from 'viem'
import type { HDAccount } from 'viem/accounts'
import { vaultAbi } from '../../core/protocol/vault-abi.ts'
import { localAccounts } from '../local/accounts.ts'
import { bodyOf } from '../local/client.ts'
import { localWallet } from '../local/deploy.ts'
import { tokenBalance } from './deposit.ts'
import type { Acknowledged, Scene } from './scene.ts'
import type { BatchView } from './settle.ts'
import type { StepLines } from './terminal.ts'

type Prepared = {
  readonly intent: { readonly mode: string; readonly means?: string }
  readonly typedData: Parameters<typeof hashTypedData>[0]
  readonly permit: {
    readonly value: string
    readonly nonce: string
    readonly deadline: string
    readonly typedData: Parameters<typeof hashTypedData>[0]
  } | null
}

/** Payments that take their money otherwise than most: what they are, and what must be true in the end. */
export type OtherPayments = {
  readonly payments: readonly Acknowledged[]
  readonly check: (lines: StepLines, batches: readonly BatchView[]) => Promise<void>
}

const runLength = 10

/**
 * One wallet keeps a chained account and pays ten times in a row; three wallets have nothing in the vault: one approves the pull
 * settler beforehand, one signs a permit along with the payment, one authorizes just this payment. The last two need no gas at all.
 */
export async function payOtherWays(scene: Scene, lines: StepLines): Promise<OtherPayments> {
  const { system, token, show } = scene
  const { vault, pullSettler, relayerId, chainId } = system.deployment
  const [chainer, allower, permitter, authorizer] = localAccounts.payers
  const payee = localAccounts.merchants[0]?.address
  if (!chainer || !allower || !permitter || !authorizer || payee === undefined)
    throw new Error('the story has too few wallets')
  if (pullSettler === undefined) throw new Error('this chain is older than the pull settler: start with a fresh --data')
  const cent = 10n ** BigInt(token.decimals - 2)
  const [coffee, order] = [cent * 5n, cent * 250n]

  const before = await chainedBalance(scene, chainer.address)
  await Promise.all([
    fund(scene, chainer, coffee * 100n, vault, [vault, 'depositChained', [token.address, coffee * 100n, relayerId]]),
    fund(scene, allower, order, pullSettler),
    fund(scene, permitter, order),
    fund(scene, authorizer, order),
  ])
  while ((await chainedInBooks(scene, chainer.address, chainId)) !== before + coffee * 100n) {
    lines.say('waiting until the chained deposit is final')
    await sleep(200)
  }

  const pay = (payer: HDAccount, amount: bigint, how: object) => payOne(scene, { payer, payee, amount }, how)
  const chained: Acknowledged[] = []
  for (let index = 0; index < runLength; index++) chained.push(await pay(chainer, coffee, { mode: 'chained' }))
  const pulled = [
    await pay(allower, order, { mode: 'pull', means: 'allowance' }),
    await pay(permitter, order, { mode: 'pull', means: 'allowance' }),
    await pay(authorizer, order, { mode: 'pull', means: 'authorization' }),
  ]
  lines.tell(
    `one wallet pays ${show(coffee)} ${runLength} times out of its chained account, each payment continuing the last`,
  )
  lines.tell(
    `three wallets without a deposit pay ${show(order)} each: by an allowance, by a permit and by an authorization; the last two need no gas at all`,
  )

  const wallets = await Promise.all([allower, permitter, authorizer].map(({ address }) => tokenBalance(scene, address)))
  return {
    payments: [...chained, ...pulled],
    check: async ({ tell }, batches) => {
      const left = await chainedBalance(scene, chainer.address)
      const expected = before + coffee * 100n - coffee * BigInt(runLength)
      if (left !== expected) throw new Error(`the chained account has ${left} on chain, ${expected} expected`)
      const now = await Promise.all([allower, permitter, authorizer].map(({ address }) => tokenBalance(scene, address)))
      for (const [index, balance] of now.entries()) {
        const wanted = (wallets[index] ?? 0n) - order
        if (balance !== wanted) throw new Error(`a wallet that was pulled from has ${balance}, ${wanted} expected`)
      }
      for (const { mode, paymentCount, gasUsed, blockNumber } of batches) {
        if (mode === 'independent') continue
        const gas = BigInt(gasUsed ?? 0) / BigInt(paymentCount)
        tell(
          `${paymentCount} ${mode} payments in block ${blockNumber}: ${gas.toLocaleString('en')} gas per payment, the fixed cost of so small a batch included`,
        )
      }
    },
  }
}

async function payOne(
  { system, wallet, token }: Scene,
  { payer, payee, amount }: { payer: HDAccount; payee: Address; amount: bigint },
  how: object,
): Promise<Acknowledged> {
  const { chainId } = system.deployment
  const terms = { chainId, payer: payer.address, payee, token: token.address, amount: `${amount}` }
  const prepared = bodyOf(await wallet.post<Prepared>('/v1/intents/prepare', { ...terms, ...how }))
  const { intent, typedData } = prepared
  const signature = await payer.signTypedData(typedData)
  const permit = await signPermit(payer, prepared)
  const { id } = bodyOf(await wallet.post<{ id: string }>('/v1/intents', { intent, signature, ...permit }))
  return { payer, payee, amount, orderId: '', flaw: undefined, intent, signature, id }
}

/** Asked for where the allowance is short. */
async function signPermit(payer: HDAccount, { permit }: Prepared): Promise<object> {
  if (permit === null) return {}
  const { value, nonce, deadline, typedData } = permit
  return { permit: { value, nonce, deadline, signature: await payer.signTypedData(typedData) } }
}

/** Tokens in the wallet; `spender` may take them, and `call` does. */
async function fund(
  { system, token }: Scene,
  account: HDAccount,
  amount: bigint,
  spender?: Address,
  call?: readonly [Address, 'depositChained', readonly unknown[]],
): Promise<void> {
  const wallet = localWallet({ rpcUrl: system.rpc, account })
  const mintAbi = parseAbi(['function mint(address to, uint256 amount)'])
  const { address } = token
  await Promise.all([
    wallet.call({ address, abi: mintAbi, functionName: 'mint', args: [account.address, amount] }),
    spender && wallet.call({ address, abi: erc20Abi, functionName: 'approve', args: [spender, amount] }),
    call && wallet.call({ address: call[0], abi: vaultAbi, functionName: call[1], args: call[2] }),
  ])
}

async function chainedBalance({ system, token }: Scene, payer: Address): Promise<bigint> {
  const { reader } = localWallet({ rpcUrl: system.rpc, account: localAccounts.owner })
  const account = await reader.readContract({
    address: system.deployment.vault,
    abi: vaultAbi,
    functionName: 'chainedAccountOf',
    args: [payer, token.address],
  })
  return account.balance
}

async function chainedInBooks({ wallet, token }: Scene, payer: Address, chainId: number): Promise<bigint> {
  const query = `chainId=${chainId}&token=${token.address}&mode=chained`
  return BigInt((await wallet.get<{ balance: string }>(`/v1/accounts/${payer}?${query}`)).balance)
}
