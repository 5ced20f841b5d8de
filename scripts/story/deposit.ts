import { setTimeout as sleep } from 'node:timers/promises'
import { type Address, erc20Abi, parseAbi } from 'viem'
import { vaultAbi } from '../../core/protocol/vault-abi.ts'
import { localAccounts } from '../local/accounts.ts'
import { localWallet } from '../local/deploy.ts'
import type { Payer, Scene } from './scene.ts'
import type { StepLines } from './terminal.ts'

const mintAbi = parseAbi(['function mint(address to, uint256 amount)'])
const depositUnits = 100n

/** Wallets bring tokens into the vault and bind their accounts to our relayer; counted once the deposit is final. */
export async function deposit(scene: Scene, { say, tell }: StepLines): Promise<readonly Payer[]> {
  const { system, token, show } = scene
  const { vault, relayerId, chainId } = system.deployment
  const amount = depositUnits * 10n ** BigInt(token.decimals)
  const before = await Promise.all(localAccounts.payers.map(({ address }) => vaultBalance(scene, address)))

  const receipts = await Promise.all(
    localAccounts.payers.map(async (account) => {
      const { call } = localWallet({ rpcUrl: system.rpc, account })
      const [, , deposited] = await Promise.all([
        call({ address: token.address, abi: mintAbi, functionName: 'mint', args: [account.address, amount] }),
        call({ address: token.address, abi: erc20Abi, functionName: 'approve', args: [vault, amount] }),
        call({ address: vault, abi: vaultAbi, functionName: 'deposit', args: [token.address, amount, relayerId] }),
      ])
      return deposited
    }),
  )
  const block = receipts.reduce((high, receipt) => (receipt.blockNumber > high ? receipt.blockNumber : high), 0n)
  const gas = receipts.reduce((sum, { gasUsed }) => sum + gasUsed, 0n) / BigInt(receipts.length)
  tell(
    `${receipts.length} TP wallets deposit ${show(amount)} each into the vault, block ${block}, ${gas.toLocaleString('en')} gas each`,
  )

  const payers = localAccounts.payers.map((account, index) => ({ account, deposited: (before[index] ?? 0n) + amount }))
  for (const { account, deposited } of payers) {
    while ((await accountOf(scene, account.address, chainId)).balance !== deposited) {
      say(`waiting until block ${block} is final`)
      await sleep(200)
    }
  }
  tell(`final: what is in the vault now backs a firm promise`)
  return payers
}

export type AccountView = { readonly balance: bigint; readonly available: bigint; readonly reserved: bigint }

/** What ICE says of a payer. */
export async function accountOf({ wallet, token }: Scene, payer: Address, chainId: number): Promise<AccountView> {
  type Body = { readonly balance: string; readonly available: string; readonly reserved: string }
  const body = await wallet.get<Body>(`/v1/accounts/${payer}?chainId=${chainId}&token=${token.address}`)
  return { balance: BigInt(body.balance), available: BigInt(body.available), reserved: BigInt(body.reserved) }
}

/** What the chain says of a payer. */
export async function vaultBalance({ system, token }: Scene, payer: Address): Promise<bigint> {
  const { reader } = localWallet({ rpcUrl: system.rpc, account: localAccounts.owner })
  const { vault } = system.deployment
  const account = await reader.readContract({
    address: vault,
    abi: vaultAbi,
    functionName: 'accountOf',
    args: [payer, token.address],
  })
  return account.balance
}

export async function tokenBalance({ system, token }: Scene, owner: Address): Promise<bigint> {
  const { reader } = localWallet({ rpcUrl: system.rpc, account: localAccounts.owner })
  return reader.readContract({ address: token.address, abi: erc20Abi, functionName: 'balanceOf', args: [owner] })
}
