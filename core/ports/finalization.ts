import type { Address, Hex } from 'viem'
import type { AccountState } from '../account.ts'
import type { LedgerEntry } from '../ledger.ts'
import type { Mode } from '../protocol/taking.ts'
import type { ChainViewRecord } from './accounts.ts'
import type { AccountKey, Block } from './chain.ts'
import type { OutsideSettlement } from './confirmation.ts'

/** A batch that becomes final, and who paid in it. */
export type FinalBatch = {
  readonly id: string
  readonly token: Address
  readonly mode: Mode
  readonly state: 'included' | 'reverted'
  readonly payers: readonly Address[]
  readonly payees: readonly { readonly payee: Address; readonly total: bigint }[]
  readonly blockNumber: bigint
  readonly txHash: Hex
  /** The result bits of its event, empty if it reverted. */
  readonly results: Hex
}

export type MoneyEntry = LedgerEntry & {
  readonly token: Address
  readonly blockNumber: bigint
  readonly txHash: Hex
  readonly logIndex: number | undefined
  readonly batchId: string | undefined
}

export type RefreshedAccount = AccountKey & { readonly state: AccountState }

/** A final tx that settled payments of our relayer id: it gets one audit record. */
export type SettlingTx = {
  readonly txHash: Hex
  readonly blockNumber: bigint
  readonly blockHash: Hex
  /** Undefined if the tx is not of a batch of ours; then `digests` are what it settled. */
  readonly batchId: string | undefined
  readonly digests: readonly Hex[]
}

/** A step of finality: everything up to `block`, written in one DB transaction, so that money and states move together. */
export type Finality = {
  readonly block: Block
  readonly batches: readonly FinalBatch[]
  /** Payments that others settled, marked again here: one may have been accepted after its settlement was confirmed. */
  readonly outside: readonly OutsideSettlement[]
  /** In the order of the chain: audit records are numbered in it. */
  readonly settling: readonly SettlingTx[]
  /** Deposits, withdrawals and payouts: what moved tokens into and out of the vault. */
  readonly entries: readonly MoneyEntry[]
  /** The vault's word at `block` on everybody who was touched. */
  readonly accounts: readonly RefreshedAccount[]
}

export type Finalization = {
  readonly view: (chainId: number, vault: Address) => Promise<ChainViewRecord | undefined>
  readonly storedBlocks: (chainId: number, vault: Address, above: bigint, upTo: bigint) => Promise<readonly Block[]>
  /** Included or reverted batches in blocks up to `upTo` that are not final yet. */
  readonly batches: (chainId: number, vault: Address, upTo: bigint) => Promise<readonly FinalBatch[]>
  /** Which of these digests are no payment of ours: they too moved money, and the ledger must know. */
  readonly unknown: (digests: readonly Hex[]) => Promise<ReadonlySet<Hex>>
  /**
   * In one DB transaction, under the chain's row lock: settled payments are posted and their reservations freed together
   * with the balances that reflect them; refused records go back; what is dead gets its end; the final block moves on.
   * `moved`: another process was first; nothing was written.
   */
  /**
   * Ends payments that are dead at the final block, a bounded number at a time. True if there may be more: being dead
   * keeps, so nothing is wrong with ending some of them later.
   */
  readonly endDead: (chainId: number, vault: Address) => Promise<boolean>
  readonly apply: (
    chainId: number,
    vault: Address,
    from: ChainViewRecord,
    finality: Finality,
  ) => Promise<'applied' | 'moved'>
}
