import hre from 'hardhat'
import {
  type Abi,
  type Address,
  createPublicClient,
  createTestClient,
  createWalletClient,
  custom,
  erc20Abi,
  getAddress,
  getContract,
  type Hex,
  parseAbi,
  publicActions,
} from 'viem'
import { mnemonicToAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import { vaultAbi } from '../../core/protocol/vault-abi.ts'

export const relayerId = 7
export const chainId = hardhat.id
const developmentMnemonic = 'test test test test test test test test test test test junk'

const tokenAbi = [...erc20Abi, ...parseAbi(['function mint(address to, uint256 amount)'])] as const
const accountAt = (addressIndex: number) => mnemonicToAccount(developmentMnemonic, { addressIndex })

/**
 * A vault on a Hardhat chain of its own, in this process. Account 0 deploys a token of 6 decimals, the vault and a token
 * of 18, so their addresses are the same in every run; account 1 is the relayer's sender. Reads the build: run
 * `hardhat build` after a change of the contracts.
 */
export async function deployVault({ startsAt }: { readonly startsAt: number }) {
  const { provider } = await hre.network.create({
    network: 'default',
    override: { chainId, initialDate: new Date(startsAt * 1000), allowBlocksWithSameTimestamp: true },
  })
  const transport = custom(provider)
  const client = createPublicClient({ chain: hardhat, transport, pollingInterval: 5, cacheTime: 0 })
  const control = createTestClient({ chain: hardhat, mode: 'hardhat', transport }).extend(publicActions)
  const walletOf = (account: Address | ReturnType<typeof accountAt>) =>
    createWalletClient({ account, chain: hardhat, transport })
  const owner = walletOf(accountAt(0))
  const sender = walletOf(accountAt(1))

  async function deploy(name: string, args: readonly unknown[]): Promise<Address> {
    const { abi, bytecode } = await hre.artifacts.readArtifact(name)
    const hash = await owner.deployContract({ abi: abi as Abi, bytecode: bytecode as Hex, args })
    const { contractAddress } = await client.waitForTransactionReceipt({ hash })
    if (!contractAddress) throw new Error(`${name} was not deployed`)
    return getAddress(contractAddress)
  }
  const tokenAt = (address: Address) =>
    getContract({ address, abi: tokenAbi, client: { public: client, wallet: owner } })

  const token = tokenAt(await deploy('DemoToken', ['Demo Dollar', 'DUSD', 6]))
  const address = await deploy('Vault', [owner.account.address])
  const vault = getContract({ address, abi: vaultAbi, client: { public: client, wallet: owner } })
  const wideToken = tokenAt(await deploy('DemoToken', ['Wide Dollar', 'WUSD', 18]))
  await vault.write.addRelayer([sender.account.address, relayerId])
  await vault.write.listToken([token.address, 1n, 0n])
  await vault.write.listToken([wideToken.address, 10n ** 12n, 0n])

  /** Mints and deposits as `payer`, without its key. */
  async function deposit({ payer, of = token, amount }: { payer: Address; of?: typeof token; amount: bigint }) {
    await control.impersonateAccount({ address: payer })
    await control.setBalance({ address: payer, value: 10n ** 18n })
    const wallet = walletOf(payer)
    await of.write.mint([payer, amount])
    await wallet.writeContract({
      address: of.address,
      abi: tokenAbi,
      functionName: 'approve',
      args: [vault.address, amount],
    })
    await wallet.writeContract({
      address,
      abi: vaultAbi,
      functionName: 'deposit',
      args: [of.address, amount, relayerId],
    })
  }

  /** Settles from the relayer's sender, in a block at `at` if given, unix seconds. */
  async function settle(blob: Hex, at?: bigint) {
    if (at !== undefined) await control.setNextBlockTimestamp({ timestamp: at })
    const hash = await sender.writeContract({
      address,
      abi: vaultAbi,
      functionName: 'settle',
      args: [blob],
      gas: 16_000_000n,
    })
    const receipt = await client.waitForTransactionReceipt({ hash })
    const [event] = await vault.getEvents.BatchSettled({}, { blockHash: receipt.blockHash, strict: true })
    if (event === undefined) throw new Error(`settle ${receipt.status} without its event`)
    return { gasUsed: receipt.gasUsed, event: event.args }
  }

  return { client, control, owner, sender, vault, token, wideToken, deposit, settle }
}
