import { type Address, decodeEventLog, type Hex, parseAbi, toEventSelector } from 'viem'
import type { AccountState } from '../../core/account.ts'
import type { VaultEvent } from '../../core/ports/chain.ts'
import { pullSettlerAbi } from '../../core/protocol/pull-settler-abi.ts'
import { vaultAbi } from '../../core/protocol/vault-abi.ts'
import { read, readInParts } from './read.ts'
import type { Rpc } from './rpc.ts'
import { type EventLog, placeOf, type SettlementContract } from './settlement-contract.ts'
import { vaultFacts } from './vault.ts'

/** @see EIP-2612, which names it; tokens with EIP-3009 have it as well. */
const separatorAbi = parseAbi(['function DOMAIN_SEPARATOR() view returns (bytes32)'])

/** @param relayerId of this relayer: wallets are bound to none, so each counts as bound to it. */
export function pullSettlerContract(rpc: Rpc, settler: Address, relayerId: number): SettlementContract {
  const of = { to: settler, abi: pullSettlerAbi } as const
  const home = (atBlock: Hex) => read(rpc, { ...of, functionName: 'vault', args: [] }, atBlock)
  return {
    address: settler,
    decode,
    accounts: ({ token }, payers, atBlock) =>
      readInParts(payers, async (some) => {
        const accounts = await read(rpc, { ...of, functionName: 'accountsOf', args: [token, some] }, atBlock)
        return accounts.map(
          ({ balance, allowance, topNonce, window }): AccountState => ({
            ...{ balance, allowance, relayerId },
            ...{ topNonce: BigInt(topNonce), nonceWindow: window, withdrawAmount: 0n, isRebinding: false },
          }),
        )
      }),
    isPaused: async (atBlock) =>
      read(rpc, { to: await home(atBlock), abi: vaultAbi, functionName: 'paused', args: [] }, atBlock),
    facts: async (about, atBlock) => ({
      ...(await vaultFacts(rpc, await home(atBlock), about, atBlock)),
      domainSeparator: await read(rpc, { ...of, functionName: 'DOMAIN_SEPARATOR', args: [] }, atBlock),
      deadlineAheadSecondsMax: await read(rpc, { ...of, functionName: 'DEADLINE_AHEAD_MAX', args: [] }, atBlock),
      tokenSeparators: await Promise.all(
        about.authorizing.map((to) =>
          read(rpc, { to, abi: separatorAbi, functionName: 'DOMAIN_SEPARATOR', args: [] }, atBlock),
        ),
      ),
    }),
  }
}

const knownTopics = new Set<Hex>(
  pullSettlerAbi.filter((item) => item.type === 'event').map((item) => toEventSelector(item)),
)

function decode(log: EventLog): VaultEvent | undefined {
  const [topic, ...indexed] = log.topics
  if (topic === undefined || !knownTopics.has(topic)) return undefined
  const event = decodeEventLog({ abi: pullSettlerAbi, data: log.data, topics: [topic, ...indexed], strict: true })
  const placed = placeOf(log)
  switch (event.eventName) {
    case 'PullBatchSettled': {
      const { anchor, token, relayerId, allowanceCount, authorizationCount, results } = event.args
      const paymentCount = Number(allowanceCount + authorizationCount)
      const counts = { paymentCount, bitCount: paymentCount }
      return { ...placed, name: 'BatchSettled', mode: 'pull', anchor, token, relayerId, ...counts, results }
    }
    case 'Credited':
    case 'Claimed': {
      const { payee, token, amount } = event.args
      return { ...placed, name: event.eventName, payee, token, amount }
    }
    default:
      return undefined
  }
}
