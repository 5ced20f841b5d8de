import { setTimeout as sleep } from 'node:timers/promises'
import { type Address, erc20Abi, parseAbi } from 'viem'
import { vaultAbi } from '../../core/protocol/vault-abi.ts'
import { localAccounts } from './accounts.ts'
import { createClient } from './client.ts'
import { localWallet } from './deploy.ts'
import type { System } from './system.ts'

const mintAbi = parseAbi(['function mint(address to, uint256 amount)'])
/** Whole units of every demo token: in the wallet, and in the vault. */
const inWallet = 1_000n
const inVault = 1_000n

/** Gives every demo payer that has none tokens and a vault deposit, bound to the relayer; resolves when ICE counts it as final. */
export async function fundPayers({ rpc, deployment, api, apps }: System): Promise<void> {
  const { vault, relayerId, chainId, tokens } = deployment
  const client = createClient(api, apps.wallet)
  const hasDeposit = async (payer: Address, token: Address): Promise<boolean> => {
    const account = await client.get<{ balance: string }>(`/v1/accounts/${payer}?chainId=${chainId}&token=${token}`)
    return account.balance !== '0'
  }
  await Promise.all(
    localAccounts.payers.map(async (account) => {
      if (await hasDeposit(account.address, tokens.at(-1)?.address ?? vault)) return
      const { call } = localWallet({ rpcUrl: rpc, account })
      const calls = tokens.flatMap(({ address, decimals }) => {
        const deposit = inVault * 10n ** BigInt(decimals)
        const total = deposit + inWallet * 10n ** BigInt(decimals)
        return [
          call({ address, abi: mintAbi, functionName: 'mint', args: [account.address, total] }),
          call({ address, abi: erc20Abi, functionName: 'approve', args: [vault, deposit] }),
          call({ address: vault, abi: vaultAbi, functionName: 'deposit', args: [address, deposit, relayerId] }),
        ]
      })
      await Promise.all(calls)
    }),
  )
  for (const { address } of localAccounts.payers) {
    for (const token of tokens) while (!(await hasDeposit(address, token.address))) await sleep(200)
  }
}
