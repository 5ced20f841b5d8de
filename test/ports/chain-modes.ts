import { type Address, erc20Abi, type Hex, keccak256, parseAbi, toHex } from 'viem'
import type { HDAccount } from 'viem/accounts'
import { connectChain } from '../../adapters/evm/chain.ts'
import { signTransaction } from '../../adapters/evm/transaction.ts'
import { localSigner } from '../../adapters/signer/local.ts'
import type { Block, Chain, VaultEvent } from '../../core/ports/chain.ts'
import { encodeChainedBatch, type Run } from '../../core/protocol/packed-chained.ts'
import { encodePullBatch } from '../../core/protocol/packed-pull.ts'
import { settleCalldata } from '../../core/protocol/settle-calldata.ts'
import { parseSignature } from '../../core/protocol/signature.ts'
import {
  authorizationDigest,
  chainedPaymentDigest,
  domainOf,
  domainSeparator,
  type Payment,
  pullAuthorization,
  pullPaymentDigest,
  zeroOrderRef,
} from '../../core/protocol/typed-data.ts'
import { vaultAbi } from '../../core/protocol/vault-abi.ts'
import { localAccounts, privateKeyOf } from '../../scripts/local/accounts.ts'
import { deploy, localWallet } from '../../scripts/local/deploy.ts'
import { missing, type Node, silent } from './chain.suite.ts'

const tokenAbi = [...erc20Abi, ...parseAbi(['function mint(address, uint256)'])] as const
export const anchor = keccak256(toHex('anchor'))
const payee = localAccounts.merchants[0]?.address ?? missing('a merchant')

/** A vault and its pull settler on a running node, and what payers and the relayer do to them. */
export async function deployed(node: Node) {
  const deployment = await deploy(node)
  const { vault, pullSettler = missing('a pull settler') } = deployment
  const [token = missing('a token')] = deployment.tokens
  const connect = (contract: Address): Chain =>
    connectChain({ ...deployment, vault: contract, pullSettler, rpcUrls: [node.rpcUrl], log: silent })
  const [ofVault, ofSettler] = [connect(vault), connect(pullSettler)]
  const separatorOf = (contract: Address) => domainSeparator(domainOf({ chainId: node.chainId, vault: contract }))
  const tokenDomain = {
    ...(token.authorization ?? missing('a domain')),
    chainId: node.chainId,
    verifyingContract: token.address,
  }
  const foundBlock = async (hash: Hex): Promise<Block> => {
    const found = await ofVault.blockByHash(hash)
    return found.outcome === 'found' ? found.value : missing(`block ${hash}`)
  }
  const call = async (who: HDAccount, address: Address, functionName: string, args: readonly unknown[]) => {
    const abi = address === token.address ? tokenAbi : vaultAbi
    const wallet = localWallet({ rpcUrl: node.rpcUrl, account: who })
    return foundBlock((await wallet.call({ address, abi, functionName, args })).blockHash)
  }
  const sign = async (payer: HDAccount, digest: Hex): Promise<Hex> => {
    const signature = parseSignature(await localSigner(privateKeyOf(payer)).signDigest(digest))
    return signature.outcome === 'ok' ? signature.compact : missing(signature.reason)
  }
  const termsOf = async (payer: HDAccount, amount: bigint, nonce: bigint): Promise<Payment> => ({
    ...{ payer: payer.address, payee, token: token.address, amount, nonce, orderRef: zeroOrderRef },
    deadline: (await ofVault.head()).at + 3_600n,
  })

  return {
    ...{ deployment, token: token.address, tokenDomain, vault, pullSettler, ofVault, ofSettler, separatorOf, payee },
    /** A call of the vault in a block, which it returns. */
    onVault: (who: HDAccount, functionName: string, args: readonly unknown[]) => call(who, vault, functionName, args),
    /** Mints, and lets the contract take it. */
    async allow(payer: HDAccount, spender: Address, amount: bigint): Promise<Block> {
      await call(payer, token.address, 'mint', [payer.address, amount])
      return call(payer, token.address, 'approve', [spender, amount])
    },
    /** A payment that continues the account, with the payer's signature. */
    async chained(payer: HDAccount, amount: bigint, sequence: bigint, previous: Hex) {
      const terms = await termsOf(payer, amount, sequence)
      const signature = await sign(payer, chainedPaymentDigest(separatorOf(vault), { ...terms, sequence, previous }))
      return { ...terms, signature }
    },
    async pull(payer: HDAccount, amount: bigint, nonce: bigint, means: 'allowance' | 'authorization') {
      const terms = await termsOf(payer, amount, nonce)
      const authorization = pullAuthorization(domainOf({ chainId: node.chainId, vault: pullSettler }), terms)
      const digest =
        means === 'allowance'
          ? pullPaymentDigest(separatorOf(pullSettler), terms)
          : authorizationDigest(domainSeparator(tokenDomain), authorization)
      return { ...terms, signature: await sign(payer, digest) }
    },
    packRuns: (runs: readonly Run[]): Hex => encodeChainedBatch({ token: token.address, scale: 1n, anchor, runs }),
    packPulls: (batch: Pick<Parameters<typeof encodePullBatch>[0], 'allowances' | 'authorizations'>): Hex =>
      encodePullBatch({ token: token.address, scale: 1n, anchor, payout: 'netted', permits: [], ...batch }),
    /** Sent by a lane, with the gas that its simulation asked for. */
    async settle(chain: Chain, payload: Hex) {
      const lane = localAccounts.lanes[0] ?? missing('a lane')
      const simulation = await chain.simulate({ from: lane.address, payload })
      if (simulation.outcome !== 'ran') throw new Error(simulation.reason)
      const { baseFeePerGasWei } = await chain.market()
      const { raw, hash } = await signTransaction({
        ...{ signer: localSigner(privateKeyOf(lane)), chainId: node.chainId, gas: simulation.gasUsed },
        ...{ nonce: await chain.accountNonce(lane.address), data: settleCalldata(payload) },
        to: chain === ofVault ? vault : pullSettler,
        fees: { maxFeePerGasWei: 2n * baseFeePerGasWei + 1n, maxPriorityFeePerGasWei: 1n },
      })
      await chain.send(raw)
      const wallet = localWallet({ rpcUrl: node.rpcUrl, account: lane })
      const { blockHash } = await wallet.reader.waitForTransactionReceipt({ hash })
      const block = await foundBlock(blockHash)
      return { simulation, block, txHash: hash, events: await chain.events(block) }
    },
  }
}

export const namesOf = (events: readonly VaultEvent[]) =>
  events.map((event) => ('mode' in event ? [event.name, event.mode] : [event.name]))
