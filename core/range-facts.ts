import type { Address, Hex } from 'viem'
import type { LedgerEntry } from './ledger.ts'
import type { AccountKey } from './ports/chain.ts'
import type { Mode } from './protocol/taking.ts'

/** What the sources say, each for itself, of one vault between two final blocks. Amounts in atomic units. */
export type RangeFacts = {
  /** Tokens that we settle: each gets its control totals, moved or not. */
  readonly tokens: readonly Address[]
  /** What the vault held by its own events at the end of the range before: deposits − withdrawals − payouts. */
  readonly heldBefore: ReadonlyMap<Address, bigint>
  readonly chain: ChainFacts
  readonly ledger: LedgerFacts
  readonly intents: IntentFacts
}

/** Read from the node for this purpose, not from what confirm and finalize stored. */
export type ChainFacts = {
  readonly moves: readonly ChainMove[]
  readonly payments: readonly ChainPayment[]
  readonly credits: readonly ChainCredit[]
  readonly settlements: readonly Settlement[]
  /** Settlements whose payments cannot be known: of another relayer, or sent through another contract. */
  readonly unread: readonly { readonly txHash: Hex; readonly token: Address; readonly relayerId: number }[]
  /** The token's own word on what the vault holds at the end of the range. */
  readonly holdings: readonly { readonly token: Address; readonly amount: bigint }[]
  /** The vault's word, at the end of the range, on payers whom the range touched. */
  readonly accounts: readonly (AccountKey & { readonly balance: bigint })[]
}

/**
 * `account`: the payer of a deposit or withdrawal, the payee of a claim. Without `logIndex` it is what the pull settler took
 * from a wallet for one payment.
 */
export type ChainMove = {
  readonly name: 'deposit' | 'withdrawal' | 'claim'
  readonly account: Address
  readonly mode: Mode
  readonly token: Address
  readonly amount: bigint
  readonly txHash: Hex
  readonly logIndex: number | undefined
}
export type ChainPayment = {
  readonly digest: Hex
  readonly mode: Mode
  readonly payer: Address
  readonly payee: Address
  readonly token: Address
  readonly amount: bigint
  readonly txHash: Hex
}
export type ChainCredit = {
  readonly payee: Address
  readonly token: Address
  readonly amount: bigint
  readonly txHash: Hex
}
/** What one tx settled for our relayer id: a batch, or one promised payment; a tx may hold several. */
export type Settlement = {
  readonly txHash: Hex
  readonly token: Address
  readonly count: number
  readonly amount: bigint
}

export type LedgerFacts = {
  readonly lines: readonly LedgerLine[]
  /** Balances at the end of the range before. What is not listed is zero. */
  readonly balancesBefore: readonly LedgerBalance[]
}
export type LedgerLine = LedgerEntry & {
  readonly token: Address
  readonly intentId: string | undefined
  readonly txHash: Hex | undefined
  readonly logIndex: number | undefined
}
export type LedgerBalance = { readonly token: Address; readonly account: string; readonly amount: bigint }

export type IntentFacts = {
  /** Which of the settled digests are payments of ours. */
  readonly known: readonly { readonly digest: Hex; readonly id: string }[]
  readonly finalized: readonly (ChainPayment & { readonly id: string })[]
  /** Of the finalized: sequences of their events in order, and the state that the last one tells. */
  readonly events: readonly {
    readonly intentId: string
    readonly sequences: readonly number[]
    readonly lastState: string
  }[]
  /** Of the touched payers: what their account reserves, and the sum of their open intents at the same moment. */
  readonly reservations: readonly (AccountKey & { readonly reserved: bigint; readonly open: bigint })[]
}
