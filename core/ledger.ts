import type { Address } from 'viem'

/**
 * One balanced set of movements of one token. Debits positive, credits negative, so the amounts of an entry sum to
 * zero; the database refuses any other. Entries are never changed: what was pending is posted or voided by another entry.
 */
export type LedgerEntry = {
  readonly kind: 'pending' | 'posted' | 'voided' | 'deposit' | 'withdrawal' | 'payout'
  readonly postings: readonly Posting[]
}
export type Posting = { readonly account: LedgerAccount; readonly amount: bigint }

/** `vault`: tokens the contract holds (an asset). `payer:` and `payee:` what it owes them (liabilities). */
export type LedgerAccount = 'vault' | `payer:${Address}` | `payee:${Address}`

const move = (from: LedgerAccount, to: LedgerAccount, amount: bigint): readonly Posting[] => [
  { account: from, amount },
  { account: to, amount: -amount },
]

type Moved = { readonly payer: Address; readonly payee: Address; readonly amount: bigint }

/** Accepted: promised, not yet moved. */
export const pending = ({ payer, payee, amount }: Moved): LedgerEntry => ({
  kind: 'pending',
  postings: move(`payer:${payer}`, `payee:${payee}`, amount),
})
/** Final on chain: the payer's claim on the vault became the payee's. */
export const posted = ({ payer, payee, amount }: Moved): LedgerEntry => ({
  kind: 'posted',
  postings: move(`payer:${payer}`, `payee:${payee}`, amount),
})
/** The pending entry will never be posted. */
export const voided = ({ payer, payee, amount }: Moved): LedgerEntry => ({
  kind: 'voided',
  postings: move(`payee:${payee}`, `payer:${payer}`, amount),
})
export const deposit = ({ payer, amount }: { payer: Address; amount: bigint }): LedgerEntry => ({
  kind: 'deposit',
  postings: move('vault', `payer:${payer}`, amount),
})
export const withdrawal = ({ payer, amount }: { payer: Address; amount: bigint }): LedgerEntry => ({
  kind: 'withdrawal',
  postings: move(`payer:${payer}`, 'vault', amount),
})
/** The vault sent a payee its tokens: in the batch itself, or later by a claim. */
export const payout = ({ payee, amount }: { payee: Address; amount: bigint }): LedgerEntry => ({
  kind: 'payout',
  postings: move(`payee:${payee}`, 'vault', amount),
})
