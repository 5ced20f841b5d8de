import type { Address, Hex } from 'viem'
import type { AccountState } from '../../core/account.ts'
import type { AccountKey, Chain, VaultEvent } from '../../core/ports/chain.ts'
import type { VaultFacts } from '../../core/vault-facts.ts'

/** A log of the contract, as a node tells it. */
export type EventLog = {
  readonly topics: readonly Hex[]
  readonly data: Hex
  readonly blockNumber: bigint
  readonly blockHash: Hex
  readonly transactionHash: Hex
  readonly logIndex: number
}

/** What differs between the contracts that settle. */
export type SettlementContract = {
  readonly address: Address
  /** Undefined for events that move nothing we follow, and for those that the ABI does not know. Throws if it does not fit the ABI. */
  readonly decode: (log: EventLog) => VaultEvent | undefined
  readonly accounts: (
    of: Pick<AccountKey, 'mode' | 'token'>,
    payers: readonly Address[],
    atBlock: Hex,
  ) => Promise<readonly AccountState[]>
  readonly isPaused: (atBlock: Hex) => Promise<boolean>
  readonly facts: (about: Parameters<Chain['vaultFacts']>[0], atBlock: Hex) => Promise<Omit<VaultFacts, 'chainId'>>
}

/** Where an event stands. */
export function placeOf({ blockNumber, blockHash, transactionHash: txHash, logIndex }: EventLog) {
  return { blockNumber, blockHash, txHash, logIndex }
}
