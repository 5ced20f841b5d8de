import hre from 'hardhat'
import type { Address } from 'viem'

export const relayerId = 7

/**
 * A vault on a Hardhat chain of its own, in this process: one listed token, one relayer. The deployer is account 0 and
 * so the vault's address is the same in every run.
 */
export async function deployVault({ chainId, at }: { readonly chainId: number; readonly at: number }) {
  const { viem, provider } = await hre.network.create({
    network: 'default',
    override: { chainId, initialDate: new Date(at * 1000), allowBlocksWithSameTimestamp: true },
  })
  const client = await viem.getPublicClient()
  const testClient = await viem.getTestClient()
  const [owner, sender] = await viem.getWalletClients()
  if (owner === undefined || sender === undefined) throw new Error('a Hardhat chain has funded accounts')
  const token = await viem.deployContract('DemoToken', ['Demo Dollar', 'DUSD', 6])
  const vault = await viem.deployContract('Vault', [owner.account.address])
  await vault.write.addRelayer([sender.account.address, relayerId])
  await vault.write.listToken([token.address, 1n, 0n])

  /** Mints and deposits, as `payer`, without its key. */
  async function deposit(payer: Address, amount: bigint): Promise<void> {
    await provider.request({ method: 'hardhat_impersonateAccount', params: [payer] })
    await testClient.setBalance({ address: payer, value: 10n ** 18n })
    await token.write.mint([payer, amount])
    await token.write.approve([vault.address, amount], { account: payer })
    await vault.write.deposit([token.address, amount, relayerId], { account: payer })
  }

  return { client, testClient, owner, sender, token, vault, deposit }
}
