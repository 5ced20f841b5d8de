import {
  type Abi,
  type Address,
  type ContractFunctionArgs,
  type ContractFunctionReturnType,
  decodeFunctionResult,
  encodeFunctionData,
  erc20Abi,
  type Hex,
} from 'viem'
import { z } from 'zod'
import type { AccountState } from '../../core/account.ts'
import { type Block, type Chain, ChainUnavailableError, type Found } from '../../core/ports/chain.ts'
import type { Log } from '../../core/ports/log.ts'
import { addressSchema } from '../../core/protocol/schema.ts'
import { vaultAbi } from '../../core/protocol/vault-abi.ts'
import { connectEndpoints } from './endpoints.ts'
import { readEvents } from './events.ts'
import { readMarket } from './market.ts'
import { readMined } from './mined.ts'
import { countSchema, hexSchema, NodeRefusal, quantitySchema, wordSchema } from './rpc.ts'
import { send } from './send.ts'
import { simulate } from './simulate.ts'

type FactName =
  | 'DOMAIN_SEPARATOR'
  | 'PAUSE_MAX'
  | 'WITHDRAW_DELAY'
  | 'DEADLINE_AHEAD_MAX'
  | 'tokenConfig'
  | 'relayerIdOf'
  | 'acknowledgerOf'
type FactArgs<Name extends FactName> = ContractFunctionArgs<typeof vaultAbi, 'view', Name>

const timeoutMillisDefault = 5_000
/** Keeps one `eth_call` under the gas that public nodes grant: three cold slots a payer. */
const payersPerCallMax = 500

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
 * A chain and its vault behind one or more JSON-RPC nodes. Reads of state name the block hash they are pinned to (EIP-1898), so
 * a reorg between two reads cannot mix two histories. Addresses come out in EIP-55.
 *
 * Transport failures of reads are asked again twice, 100 ms apart; a send is asked once of each node until one answers.
 * `timeoutMillisMax` bounds one request (default 5000). @throws ChainUnavailableError from every method, when the node does not answer well-formed.
 */
export function connectChain({
  chainId,
  rpcUrls,
  vault,
  timeoutMillisMax = timeoutMillisDefault,
  log,
}: {
  readonly chainId: number
  /** In the order of preference. */
  readonly rpcUrls: readonly string[]
  readonly vault: Address
  readonly timeoutMillisMax?: number
  readonly log: Log
}): Chain {
  const rpc = connectEndpoints({ chainId, rpcUrls, timeoutMillisMax, log })

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

  /** Calls a view of the vault at one block; the answer is decoded by the caller, whose name carries its type. */
  async function view(data: Hex, atBlock: Hex): Promise<Hex> {
    const answer = await rpc.ask('eth_call', [{ to: vault, data }, { blockHash: atBlock }], hexSchema)
    if (answer === '0x') throw new ChainUnavailableError(`no vault at ${vault} in block ${atBlock}`)
    return answer
  }

  async function fact<Name extends FactName>(
    functionName: Name,
    args: FactArgs<Name>,
    atBlock: Hex,
  ): Promise<ContractFunctionReturnType<typeof vaultAbi, 'view', Name>> {
    const call = { abi: vaultAbi as Abi, functionName: functionName as string, args: args as readonly unknown[] }
    const data = await view(encodeFunctionData(call), atBlock)
    return decoded(functionName, () => decodeFunctionResult({ ...call, data })) as ContractFunctionReturnType<
      typeof vaultAbi,
      'view',
      Name
    >
  }

  return {
    chainId: () => rpc.ask('eth_chainId', [], countSchema),
    head,
    finalized,
    blockByNumber: (number) => blockAt('eth_getBlockByNumber', `0x${number.toString(16)}`),
    blockByHash: (hash) => blockAt('eth_getBlockByHash', hash),
    events: (block) => readEvents(rpc, vault, block),

    async accounts(token, payers, atBlock) {
      const states: AccountState[] = []
      for (let at = 0; at < payers.length; at += payersPerCallMax) {
        const some = payers.slice(at, at + payersPerCallMax)
        const call = { abi: vaultAbi, functionName: 'accountsOf' } as const
        const data = await view(encodeFunctionData({ ...call, args: [token, some] }), atBlock)
        const accounts = decoded('accountsOf', () => decodeFunctionResult({ ...call, data }))
        if (accounts.length !== some.length) {
          throw new ChainUnavailableError(`asked for ${some.length} accounts, got ${accounts.length}`)
        }
        for (const account of accounts) {
          states.push({
            balance: account.balance,
            topNonce: BigInt(account.topNonce),
            nonceWindow: account.window,
            relayerId: account.relayerId,
            withdrawAmount: account.withdrawAmount,
            isRebinding: account.pendingEffectiveAt !== 0n,
          })
        }
      }
      return states
    },

    async isPaused(atBlock) {
      const call = { abi: vaultAbi, functionName: 'paused' } as const
      const data = await view(encodeFunctionData(call), atBlock)
      return decoded('paused', () => decodeFunctionResult({ ...call, data }))
    },

    holdings: (tokens, atBlock) =>
      Promise.all(
        tokens.map(async (token) => {
          const call = { abi: erc20Abi, functionName: 'balanceOf' } as const
          const data = encodeFunctionData({ ...call, args: [vault] })
          const answer = await rpc.ask('eth_call', [{ to: token, data }, { blockHash: atBlock }], hexSchema)
          return decoded('balanceOf', () => decodeFunctionResult({ ...call, data: answer }))
        }),
      ),

    async vaultFacts({ tokens, senders, relayerId }) {
      const { hash } = await head()
      const ask = <Name extends FactName>(functionName: Name, args: FactArgs<Name>) => fact(functionName, args, hash)
      return {
        chainId: await rpc.ask('eth_chainId', [], countSchema),
        domainSeparator: await ask('DOMAIN_SEPARATOR', []),
        pauseSecondsMax: await ask('PAUSE_MAX', []),
        withdrawDelaySeconds: await ask('WITHDRAW_DELAY', []),
        deadlineAheadSecondsMax: await ask('DEADLINE_AHEAD_MAX', []),
        scales: await Promise.all(tokens.map(async (token) => (await ask('tokenConfig', [token]))[0])),
        relayerIds: await Promise.all(senders.map((sender) => ask('relayerIdOf', [sender]))),
        acknowledger: await ask('acknowledgerOf', [relayerId]),
      }
    },

    simulate: async ({ from, payload }) => simulate(rpc, { vault, from, payload, atBlock: (await head()).hash }),
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

    mined: (txHash) => readMined(rpc, vault, txHash),

    async send(rawTx) {
      const outcome = await send(rpc, rawTx)
      if (outcome.outcome === 'refused') log.warn({ vault, reason: outcome.reason }, 'The node refused a transaction')
      return outcome
    },
  }
}

/** A node without the tag calls it an invalid argument; one that has not finalized yet calls the block unknown. */
const saysNoSuchBlock = /finalized|unknown block|block tag|not found|invalid (block|argument|params)/i

function found<T>(value: T | null): Found<T> {
  return value === null ? { outcome: 'absent' } : { outcome: 'found', value }
}

function decoded<T>(name: string, decode: () => T): T {
  try {
    return decode()
  } catch (cause) {
    throw new ChainUnavailableError(`malformed answer of ${name}`, { cause })
  }
}
