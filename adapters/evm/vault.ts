import { type Address, decodeEventLog, type Hex, toEventSelector } from 'viem'
import type { AccountState } from '../../core/account.ts'
import type { VaultEvent } from '../../core/ports/chain.ts'
import { vaultAbi } from '../../core/protocol/vault-abi.ts'
import { read, readInParts } from './read.ts'
import type { Rpc } from './rpc.ts'
import { type EventLog, placeOf, type SettlementContract } from './settlement-contract.ts'

/** Every nonce up to a chained account's sequence is used. */
const allUsed = 2n ** 64n - 1n

export function vaultContract(rpc: Rpc, vault: Address): SettlementContract {
  return {
    address: vault,
    decode,
    accounts: ({ mode, token }, payers, atBlock) =>
      readInParts(payers, (some) =>
        mode === 'chained' ? chained(rpc, vault, token, some, atBlock) : independent(rpc, vault, token, some, atBlock),
      ),
    isPaused: (atBlock) => read(rpc, { to: vault, abi: vaultAbi, functionName: 'paused', args: [] }, atBlock),
    facts: (about, atBlock) => vaultFacts(rpc, vault, about, atBlock),
  }
}

/** What the vault says of itself, and of those whom a configuration names. */
export async function vaultFacts(
  rpc: Rpc,
  vault: Address,
  { tokens, senders, relayerId }: Parameters<SettlementContract['facts']>[0],
  atBlock: Hex,
): ReturnType<SettlementContract['facts']> {
  const of = { to: vault, abi: vaultAbi } as const
  return {
    home: vault,
    domainSeparator: await read(rpc, { ...of, functionName: 'DOMAIN_SEPARATOR', args: [] }, atBlock),
    pauseSecondsMax: await read(rpc, { ...of, functionName: 'PAUSE_MAX', args: [] }, atBlock),
    withdrawDelaySeconds: await read(rpc, { ...of, functionName: 'WITHDRAW_DELAY', args: [] }, atBlock),
    deadlineAheadSecondsMax: await read(rpc, { ...of, functionName: 'DEADLINE_AHEAD_MAX', args: [] }, atBlock),
    scales: await Promise.all(
      tokens.map(async (token) => (await read(rpc, { ...of, functionName: 'tokenConfig', args: [token] }, atBlock))[0]),
    ),
    relayerIds: await Promise.all(
      senders.map((sender) => read(rpc, { ...of, functionName: 'relayerIdOf', args: [sender] }, atBlock)),
    ),
    acknowledger: await read(rpc, { ...of, functionName: 'acknowledgerOf', args: [relayerId] }, atBlock),
    tokenSeparators: [],
  }
}

async function independent(rpc: Rpc, vault: Address, token: Address, payers: readonly Address[], atBlock: Hex) {
  const call = { to: vault, abi: vaultAbi, functionName: 'accountsOf', args: [token, payers] } as const
  return (await read(rpc, call, atBlock)).map(
    (account): AccountState => ({
      balance: account.balance,
      topNonce: BigInt(account.topNonce),
      nonceWindow: account.window,
      relayerId: account.relayerId,
      withdrawAmount: account.withdrawAmount,
      isRebinding: account.pendingEffectiveAt !== 0n,
    }),
  )
}

async function chained(rpc: Rpc, vault: Address, token: Address, payers: readonly Address[], atBlock: Hex) {
  const call = { to: vault, abi: vaultAbi, functionName: 'chainedAccountsOf', args: [token, payers] } as const
  return (await read(rpc, call, atBlock)).map(
    (account): AccountState => ({
      balance: account.balance,
      topNonce: BigInt(account.sequence),
      nonceWindow: allUsed,
      relayerId: account.relayerId,
      withdrawAmount: account.withdrawAmount,
      isRebinding: account.pendingEffectiveAt !== 0n,
      head: account.head,
    }),
  )
}

const knownTopics = new Set<Hex>(vaultAbi.filter((item) => item.type === 'event').map((item) => toEventSelector(item)))

function decode(log: EventLog): VaultEvent | undefined {
  const [topic, ...indexed] = log.topics
  if (topic === undefined || !knownTopics.has(topic)) return undefined
  const event = decodeEventLog({ abi: vaultAbi, data: log.data, topics: [topic, ...indexed], strict: true })
  const placed = placeOf(log)
  switch (event.eventName) {
    case 'BatchSettled': {
      const { anchor, token, relayerId, paymentCount, cancelCount, results } = event.args
      const counts = { paymentCount: Number(paymentCount), bitCount: Number(paymentCount + cancelCount) }
      return { ...placed, name: 'BatchSettled', mode: 'independent', anchor, token, relayerId, ...counts, results }
    }
    case 'ChainedBatchSettled': {
      const { anchor, token, relayerId, runCount, paymentCount, results } = event.args
      const counts = { paymentCount: Number(paymentCount), bitCount: Number(runCount) }
      return { ...placed, name: 'BatchSettled', mode: 'chained', anchor, token, relayerId, ...counts, results }
    }
    case 'OverdueSettled': {
      const { paymentDigest: digest, payer, payee, token, amount, nonce, orderRef } = event.args
      return { ...placed, name: 'OverdueSettled', digest, payer, payee, token, amount, nonce, orderRef }
    }
    case 'Deposited':
    case 'Withdrawn': {
      const { payer, token, amount } = event.args
      return { ...placed, name: event.eventName, mode: 'independent', payer, token, amount }
    }
    case 'ChainedDeposited':
    case 'ChainedWithdrawn': {
      const { payer, token, amount } = event.args
      const name = event.eventName === 'ChainedDeposited' ? 'Deposited' : 'Withdrawn'
      return { ...placed, name, mode: 'chained', payer, token, amount }
    }
    case 'Credited':
    case 'Claimed': {
      const { payee, token, amount } = event.args
      return { ...placed, name: event.eventName, payee, token, amount }
    }
    case 'RelayerBound':
    case 'RelayerRebindRequested':
    case 'WithdrawRequested':
    case 'WithdrawCancelled': {
      const { payer, token } = event.args
      return { ...placed, name: 'AccountChanged', mode: 'independent', payer, token }
    }
    case 'ChainedRelayerBound':
    case 'ChainedRelayerRebindRequested':
    case 'ChainedWithdrawRequested':
    case 'ChainedWithdrawCancelled': {
      const { payer, token } = event.args
      return { ...placed, name: 'AccountChanged', mode: 'chained', payer, token }
    }
    default:
      return undefined
  }
}
