import { type Address, erc20Abi, parseAbi } from 'viem'
import { z } from 'zod'
import { type ChainConfig, isPullSettler } from '../../core/config.ts'
import { type Block, type Chain, ChainUnavailableError, type Found } from '../../core/ports/chain.ts'
import type { Log } from '../../core/ports/log.ts'
import { addressSchema } from '../../core/protocol/schema.ts'
import { connectEndpoints } from './endpoints.ts'
import { readEvents } from './events.ts'
import { readMarket } from './market.ts'
import { readMined } from './mined.ts'
import { pullSettlerContract } from './pull-settler.ts'
import { read } from './read.ts'
import { countSchema, hexSchema, NodeRefusal, quantitySchema, wordSchema } from './rpc.ts'
import { send } from './send.ts'
import { simulate } from './simulate.ts'
import { vaultContract } from './vault.ts'

/** @see EIP-2612 */
const noncesAbi = parseAbi(['function nonces(address owner) view returns (uint256)'])
/** Tokens tell one nonce per call; so many calls are on their way to a node at once. */
const noncesAtOnceMax = 20
const timeoutMillisDefault = 5_000

const blockSchema = z
  .object({ number: quantitySchema, hash: wordSchema, parentHash: wordSchema, timestamp: quantitySchema })
  .transform(({ number, hash, parentHash, timestamp }): Block => ({ number, hash, parentHash, at: timestamp }))
const receiptSchema = z.object({
  blockNumber: quantitySchema,
  blockHash: wordSchema,
  status: quantitySchema,
  gasUsed: quantitySchema,
})
const transactionSchema = z.object({ to: addressSchema.nullish(), from: addressSchema, input: hexSchema })

/**
 * A chain and one settlement contract on it behind one or more JSON-RPC nodes. Reads of state name the block hash they are pinned to (EIP-1898), so
 * a reorg between two reads cannot mix two histories. Addresses come out in EIP-55.
 *
 * Transport failures of reads are asked again twice, 100 ms apart; a send is asked once of each node until one answers.
 * `timeoutMillisMax` bounds one request (default 5000). @throws ChainUnavailableError from every method, when the node does not answer well-formed.
 */
export function connectChain({
  log,
  timeoutMillisMax = timeoutMillisDefault,
  ...config
}: Pick<ChainConfig, 'chainId' | 'rpcUrls' | 'vault' | 'pullSettler' | 'relayerId'> & {
  readonly timeoutMillisMax?: number
  readonly log: Log
}): Chain {
  const { chainId, rpcUrls, vault: address, relayerId } = config
  const rpc = connectEndpoints({ chainId, rpcUrls, timeoutMillisMax, log })
  const contract = isPullSettler(config) ? pullSettlerContract(rpc, address, relayerId) : vaultContract(rpc, address)

  async function blockAt(method: string, at: string): Promise<Found<Block>> {
    return found(await rpc.ask(method, [at, false], blockSchema.nullable()))
  }

  async function head(): Promise<Block> {
    return rpc.ask('eth_getBlockByNumber', ['latest', false], blockSchema)
  }

  async function finalized(): Promise<Found<Block>> {
    const answer = await rpc.attempt('eth_getBlockByNumber', ['finalized', false], blockSchema.nullable())
    if (!(answer instanceof NodeRefusal)) return found(answer)
    if (saysNoSuchBlock.test(answer.message)) return { outcome: 'absent' }
    throw new ChainUnavailableError('the finalized block', { cause: answer })
  }

  return {
    chainId: () => rpc.ask('eth_chainId', [], countSchema),
    head,
    finalized,
    blockByNumber: (number) => blockAt('eth_getBlockByNumber', `0x${number.toString(16)}`),
    blockByHash: (hash) => blockAt('eth_getBlockByHash', hash),
    events: (block) => readEvents(rpc, contract, block),

    accounts: contract.accounts,
    permitNonces: async (token, owners) => {
      const { hash } = await head()
      const ask = (owner: Address) =>
        read(rpc, { to: token, abi: noncesAbi, functionName: 'nonces', args: [owner] }, hash)
      const nonces: bigint[] = []
      for (let at = 0; at < owners.length; at += noncesAtOnceMax) {
        nonces.push(...(await Promise.all(owners.slice(at, at + noncesAtOnceMax).map(ask))))
      }
      return nonces
    },
    isPaused: contract.isPaused,
    holdings: (tokens, atBlock) =>
      Promise.all(
        tokens.map((token) =>
          read(rpc, { to: token, abi: erc20Abi, functionName: 'balanceOf', args: [address] }, atBlock),
        ),
      ),
    vaultFacts: async (about) => ({
      chainId: await rpc.ask('eth_chainId', [], countSchema),
      ...(await contract.facts(about, (await head()).hash)),
    }),

    simulate: async ({ from, payload }) =>
      simulate(rpc, { contract: address, from, payload, atBlock: (await head()).hash }),
    market: () => readMarket(rpc),
    balanceWei: (address) => rpc.ask('eth_getBalance', [address, 'latest'], quantitySchema),
    accountNonce: (address, atBlock) =>
      rpc.ask('eth_getTransactionCount', [address, atBlock ? { blockHash: atBlock } : 'latest'], countSchema),

    async receipt(txHash) {
      const answer = await rpc.ask('eth_getTransactionReceipt', [txHash], receiptSchema.nullable())
      if (answer === null) return { outcome: 'absent' }
      const { status, ...receipt } = answer
      return { outcome: 'found', value: { ...receipt, isSuccess: status === 1n } }
    },

    async transaction(txHash) {
      const answer = await rpc.ask('eth_getTransactionByHash', [txHash], transactionSchema.nullable())
      return found(answer === null ? null : { ...answer, to: answer.to ?? undefined })
    },

    mined: (txHash) => readMined(rpc, address, txHash),

    async send(rawTx) {
      const outcome = await send(rpc, rawTx)
      if (outcome.outcome === 'refused')
        log.warn({ contract: address, reason: outcome.reason }, 'The node refused a transaction')
      return outcome
    },
  }
}

/** A node without the tag calls it an invalid argument; one that has not finalized yet calls the block unknown. */
const saysNoSuchBlock = /finalized|unknown block|block tag|not found|invalid (block|argument|params)/i

function found<T>(value: T | null): Found<T> {
  return value === null ? { outcome: 'absent' } : { outcome: 'found', value }
}
