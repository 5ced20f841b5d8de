import type { Address } from 'viem'
import type { Mode } from './protocol/taking.ts'

/**
 * One balanced set of movements of one token. Debits positive, credits negative, so the amounts of an entry sum to
 * zero; the database refuses any other. Entries are never changed: what was pending is posted or voided by another entry.
 */
export type LedgerEntry = {
  readonly kind: 'pending' | 'posted' | 'voided' | 'deposit' | 'withdrawal' | 'payout'
  readonly postings: readonly Posting[]
}
export type Posting = { readonly account: LedgerAccount; readonly amount: bigint }

/**
 * `vault`: tokens the contract holds (an asset). `payer:`, `chained:` (the payer's chained account) and `payee:` what it
 * owes them (liabilities). The pull settler owes a payer for no longer than a tx: what it takes from a wallet is a deposit.
 */
export type LedgerAccount = 'vault' | `payer:${Address}` | `chained:${Address}` | `payee:${Address}`

export function payerAccount(payer: Address, mode: Mode): LedgerAccount {
  return mode === 'chained' ? `chained:${payer}` : `payer:${payer}`
}

const move = (from: LedgerAccount, to: LedgerAccount, amount: bigint): readonly Posting[] => [
  { account: from, amount },
  { account: to, amount: -amount },
]

type Moved = {
  readonly payer: Address
  readonly payee: Address
  readonly amount: bigint
  readonly mode: Mode
}
type Brought = Pick<Moved, 'payer' | 'amount' | 'mode'>

/** Accepted: promised, not yet moved. */
export const pending = ({ payer, payee, amount, mode }: Moved): LedgerEntry => ({
  kind: 'pending',
  postings: move(payerAccount(payer, mode), `payee:${payee}`, amount),
})
/** Final on chain: the payer's claim on the vault became the payee's. */
export const posted = ({ payer, payee, amount, mode }: Moved): LedgerEntry => ({
  kind: 'posted',
  postings: move(payerAccount(payer, mode), `payee:${payee}`, amount),
})
/** What a settled payment writes: what the pull settler took for it came in first. */
export const settled = (payment: Moved): readonly LedgerEntry[] =>
  payment.mode === 'pull' ? [deposit(payment), posted(payment)] : [posted(payment)]
/** The pending entry will never be posted. */
export const voided = ({ payer, payee, amount, mode }: Moved): LedgerEntry => ({
  kind: 'voided',
  postings: move(`payee:${payee}`, payerAccount(payer, mode), amount),
})
export const deposit = ({ payer, amount, mode }: Brought): LedgerEntry => ({
  kind: 'deposit',
  postings: move('vault', payerAccount(payer, mode), amount),
})
export const withdrawal = ({ payer, amount, mode }: Brought): LedgerEntry => ({
  kind: 'withdrawal',
  postings: move(payerAccount(payer, mode), 'vault', amount),
})
/** The vault sent a payee its tokens: in the batch itself, or later by a claim. */
export const payout = ({ payee, amount }: { payee: Address; amount: bigint }): LedgerEntry => ({
  kind: 'payout',
  postings: move(`payee:${payee}`, 'vault', amount),
})
