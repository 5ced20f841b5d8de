import { type AccountState, isNonceSpent, nonceWindowMax } from './account.ts'
import { isDead } from './intent.ts'
import type { Payment } from './protocol/typed-data.ts'

export type RecordRefusalReason =
  | 'expired'
  | 'account_not_bound'
  | 'nonce_spent'
  | 'nonce_too_far'
  | 'insufficient_balance'
  | 'record_refused'

/** Why the vault would refuse this record at a block, read from the account's word: the bitmap says only that it would. */
export function whyRefused({
  payment,
  account,
  relayerId,
  blockSeconds,
}: {
  payment: Pick<Payment, 'deadline' | 'nonce' | 'amount'>
  account: AccountState
  relayerId: number
  blockSeconds: bigint
}): RecordRefusalReason {
  if (isDead({ deadline: payment.deadline, blockSeconds })) return 'expired'
  if (account.relayerId !== relayerId) return 'account_not_bound'
  if (isNonceSpent(account, payment.nonce)) return 'nonce_spent'
  if (payment.nonce > account.topNonce + nonceWindowMax) return 'nonce_too_far'
  if (account.balance < payment.amount) return 'insufficient_balance'
  return 'record_refused'
}
