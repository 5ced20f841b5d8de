import { type Address, parseAbi } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import { vaultAbi } from '../../core/protocol/vault-abi.ts'
import { type Deployment, localWallet } from '../../scripts/local/deploy.ts'

const tokenAbi = parseAbi(['function mint(address, uint256)', 'function approve(address, uint256)'])
export const deposit = 100_000_000n

/** What payers do on chain with money of a token (the first if none is named), until the relayer has seen it final. */
export function walletsOn(
  rpcUrl: string,
  { vault, pullSettler, relayerId, tokens }: Deployment,
  see: () => Promise<void>,
) {
  const first = tokens[0]?.address ?? vault
  const callerOf = (payer: PrivateKeyAccount) => localWallet({ rpcUrl, account: payer as never }).call
  const into =
    (functionName: 'deposit' | 'depositChained') =>
    async (payer: PrivateKeyAccount, amount = deposit, of: Address = first): Promise<void> => {
      const call = callerOf(payer)
      await Promise.all([
        call({ address: of, abi: tokenAbi, functionName: 'mint', args: [payer.address, amount] }),
        call({ address: of, abi: tokenAbi, functionName: 'approve', args: [vault, amount] }),
        call({ address: vault, abi: vaultAbi, functionName, args: [of, amount, relayerId] }),
      ])
      await see()
    }
  return {
    /** Mints, approves and deposits, bound to our relayer. */
    depositFor: into('deposit'),
    depositChainedFor: into('depositChained'),
    /** Mints to the payer's wallet, of which the pull settler may take as much as is allowed. */
    fillWallet: async (
      payer: PrivateKeyAccount,
      amount: bigint,
      allowed: bigint,
      of: Address = first,
    ): Promise<void> => {
      const call = callerOf(payer)
      await Promise.all([
        call({ address: of, abi: tokenAbi, functionName: 'mint', args: [payer.address, amount] }),
        call({ address: of, abi: tokenAbi, functionName: 'approve', args: [pullSettler, allowed] }),
      ])
      await see()
    },
  }
}
