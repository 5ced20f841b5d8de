import hre from 'hardhat'
import {
  type Abi,
  type Address,
  createPublicClient,
  createTestClient,
  createWalletClient,
  custom,
  encodeFunctionData,
  erc20Abi,
  getAddress,
  getContract,
  type Hex,
  parseAbi,
  publicActions,
} from 'viem'
import { mnemonicToAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import { pullSettlerAbi } from '../../core/protocol/pull-settler-abi.ts'
import { vaultAbi } from '../../core/protocol/vault-abi.ts'

export const relayerId = 7
export const chainId = hardhat.id
const developmentMnemonic = 'test test test test test test test test test test test junk'

const tokenAbi = [...erc20Abi, ...parseAbi(['function mint(address to, uint256 amount)'])] as const
const accountAt = (addressIndex: number) => mnemonicToAccount(developmentMnemonic, { addressIndex })

/**
 * A vault and a pull settler on a Hardhat chain of their own, in this process. Account 0 deploys a token of 6 decimals, the
 * vault, a token of 18 decimals, the settler and a token with EIP-3009, so their addresses are the same in every run; account 1 is the relayer's sender. Reads the build: run
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
  const settlerAddress = await deploy('PullSettler', [address])
  const settler = getContract({ address: settlerAddress, abi: pullSettlerAbi, client })
  const authorizingToken = tokenAt(await deploy('AuthorizingToken', []))
  await vault.write.listToken([authorizingToken.address, 1n, 0n])

  /** Lets `payer` act without its key. */
  async function actingAs(payer: Address) {
    await control.impersonateAccount({ address: payer })
    await control.setBalance({ address: payer, value: 10n ** 18n })
    return walletOf(payer)
  }

  type Hoard = { readonly payer: Address; readonly of?: typeof token; readonly amount: bigint }

  /** Mints to `payer`, who lets `spender` take it. */
  async function allow({ payer, of = token, amount, spender }: Hoard & { readonly spender: Address }) {
    const wallet = await actingAs(payer)
    await of.write.mint([payer, amount])
    await wallet.writeContract({ address: of.address, abi: tokenAbi, functionName: 'approve', args: [spender, amount] })
    return wallet
  }

  /** Mints and deposits as `payer`, without its key. */
  async function deposit({ mode = 'independent', ...hoard }: Hoard & { readonly mode?: 'independent' | 'chained' }) {
    const wallet = await allow({ ...hoard, spender: vault.address })
    const args = [(hoard.of ?? token).address, hoard.amount, relayerId] as const
    const functionName = mode === 'chained' ? 'depositChained' : 'deposit'
    await wallet.writeContract({ address, abi: vaultAbi, functionName, args })
  }

  /** Sends a batch from the relayer's sender, in a block at `at` if given, unix seconds. */
  async function send(call: { readonly to: Address; readonly data: Hex }, at?: bigint) {
    if (at !== undefined) await control.setNextBlockTimestamp({ timestamp: at })
    const hash = await sender.sendTransaction({ ...call, gas: 16_000_000n })
    return client.waitForTransactionReceipt({ hash })
  }

  async function settle(blob: Hex, at?: bigint) {
    const data = encodeFunctionData({ abi: vaultAbi, functionName: 'settle', args: [blob] })
    const { blockHash, gasUsed, status } = await send({ to: address, data }, at)
    const [event] = await vault.getEvents.BatchSettled({}, { blockHash, strict: true })
    if (event === undefined) throw new Error(`settle ${status} without its event`)
    return { gasUsed, event: event.args }
  }

  async function settleChained(blob: Hex, at?: bigint) {
    const data = encodeFunctionData({ abi: vaultAbi, functionName: 'settleChained', args: [blob] })
    const { blockHash, status } = await send({ to: address, data }, at)
    const [event] = await vault.getEvents.ChainedBatchSettled({}, { blockHash, strict: true })
    if (event === undefined) throw new Error(`settleChained ${status} without its event`)
    return { event: event.args }
  }

  async function settlePull(blob: Hex, at?: bigint) {
    const data = encodeFunctionData({ abi: pullSettlerAbi, functionName: 'settlePull', args: [blob] })
    const { blockHash, status } = await send({ to: settlerAddress, data }, at)
    const [event] = await settler.getEvents.PullBatchSettled({}, { blockHash, strict: true })
    if (event === undefined) throw new Error(`settlePull ${status} without its event`)
    return { event: event.args }
  }

  const tokens = { token, wideToken, authorizingToken }
  return { client, control, owner, vault, settler, ...tokens, allow, deposit, settle, settleChained, settlePull }
}
