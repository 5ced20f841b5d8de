import { readFile } from 'node:fs/promises'
import {
  type Abi,
  type Address,
  checksumAddress,
  createPublicClient,
  createWalletClient,
  type Hex,
  http,
  type PublicClient,
  type TransactionReceipt,
} from 'viem'
import type { HDAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import { vaultAbi } from '../../core/protocol/vault-abi.ts'
import { localAccounts } from './accounts.ts'

/** What stands on a local chain. */
export type Deployment = {
  readonly chainId: number
  readonly vault: Address
  /** Undefined in a kept chain that is older than it. */
  readonly pullSettler: Address | undefined
  readonly relayerId: number
  readonly startBlock: number
  readonly tokens: readonly LocalToken[]
}
type TokenDomain = { readonly name: string; readonly version: string }
export type LocalToken = {
  readonly address: Address
  readonly symbol: string
  readonly decimals: number /** Decimal string. */
  readonly scale: string
  /** Its EIP-712 domain, in which it takes authorizations and permits. Undefined as above. */
  readonly authorization: TokenDomain | undefined
  readonly permit: TokenDomain | undefined
}

const relayerId = 1

const tokens = [
  { name: 'Demo US Dollar', symbol: 'DUSD', decimals: 6, scale: 1n },
  // Like USDT on BNB Chain: 18 decimals, so a packed unit is 10^12 atomic units.
  { name: 'Demo Long Dollar', symbol: 'DLUSD', decimals: 18, scale: 10n ** 12n },
] as const

/** Deploys the vault, its pull settler and two demo tokens, lists them, and registers the relayer's lanes and acknowledgement authority. */
export async function deploy({ rpcUrl, chainId }: { rpcUrl: string; chainId: number }): Promise<Deployment> {
  const wallet = localWallet({ rpcUrl, account: localAccounts.owner })
  const startBlock = Number(await wallet.reader.getBlockNumber())

  // Sent together and mined together: the owner's txs are ordered by their account nonces.
  const vaultDeployed = wallet.deploy(await readArtifact('Vault.sol/Vault'), [localAccounts.owner.address])
  const tokenArtifact = await readArtifact('demo/DemoToken.sol/DemoToken')
  const tokensDeployed = tokens.map(({ name, symbol, decimals }) =>
    wallet.deploy(tokenArtifact, [name, symbol, decimals]),
  )
  const vault = await vaultDeployed
  const addresses = await Promise.all(tokensDeployed)
  const settlerDeployed = wallet.deploy(await readArtifact('PullSettler.sol/PullSettler'), [vault])

  const call = (functionName: 'listToken' | 'addRelayer' | 'setAcknowledger', args: readonly unknown[]) =>
    wallet.call({ address: vault, abi: vaultAbi, functionName, args })
  await Promise.all([
    ...tokens.map(({ scale }, index) => call('listToken', [addresses[index], scale, 0n])),
    ...localAccounts.lanes.map(({ address }) => call('addRelayer', [address, relayerId])),
    call('setAcknowledger', [relayerId, localAccounts.acknowledger.address]),
  ])
  return {
    chainId,
    vault,
    pullSettler: await settlerDeployed,
    relayerId,
    startBlock,
    tokens: tokens.map(({ name, symbol, decimals, scale }, index) => ({
      address: addresses[index] ?? vault,
      symbol,
      decimals,
      scale: `${scale}`,
      authorization: { name, version: '1' },
      permit: { name, version: '1' },
    })),
  }
}

export type LocalWallet = {
  readonly reader: PublicClient
  readonly call: (call: {
    address: Address
    abi: Abi
    functionName: string
    args: readonly unknown[]
  }) => Promise<TransactionReceipt>
  readonly deploy: (artifact: Artifact, args: readonly unknown[]) => Promise<Address>
}
type Artifact = { readonly abi: Abi; readonly bytecode: Hex }

/** One test account on a local chain. Its account nonces are handed out here, so calls may run side by side. */
export function localWallet({ rpcUrl, account }: { rpcUrl: string; account: HDAccount }): LocalWallet {
  // A busy machine may be slow to answer; nothing here is in a hurry.
  const transport = http(rpcUrl, { retryCount: 3, timeout: 60_000 })
  const reader = createPublicClient({ chain: hardhat, transport, pollingInterval: 100, cacheTime: 0 })
  const writer = createWalletClient({ account, chain: hardhat, transport })
  let following: Promise<number> | undefined
  const nextNonce = (): Promise<number> => {
    following =
      following === undefined
        ? reader.getTransactionCount({ address: account.address })
        : following.then((last) => last + 1)
    return following
  }
  const mined = async (hash: Hex): Promise<TransactionReceipt> => {
    const receipt = await reader.waitForTransactionReceipt({ hash })
    if (receipt.status !== 'success')
      throw new Error(`tx ${hash} of ${account.address} reverted in block ${receipt.blockNumber}`)
    return receipt
  }
  return {
    reader,
    call: async ({ address, abi, functionName, args }) => {
      const nonce = await nextNonce()
      return mined(await writer.writeContract({ address, abi, functionName, args: [...args], nonce, gas: 200_000n }))
    },
    deploy: async ({ abi, bytecode }, args) => {
      const nonce = await nextNonce()
      const { contractAddress } = await mined(
        await writer.deployContract({ abi, bytecode, args: [...args], nonce, gas: 8_000_000n }),
      )
      if (contractAddress == null) throw new Error('a deployment without an address')
      return checksumAddress(contractAddress)
    },
  }
}

/** Compiled by `hardhat build`. */
async function readArtifact(name: string): Promise<Artifact> {
  return JSON.parse(await readFile(new URL(`../../artifacts/contracts/${name}.json`, import.meta.url), 'utf8'))
}
