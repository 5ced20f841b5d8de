import { type AccountState, availableFloor, isNonceSpent, nonceWindowMax } from './account.ts'
import { isDead } from './intent.ts'
import type { Taking } from './protocol/taking.ts'
import type { Payment } from './protocol/typed-data.ts'

export type RecordRefusalReason =
  | 'expired'
  | 'account_not_bound'
  | 'nonce_spent'
  | 'nonce_too_far'
  | 'insufficient_balance'
  | 'allowance_short'
  | 'record_refused'

/** Why the vault would refuse this record at a block, read from the account's word: the bitmap says only that it would. */
export function whyRefused({
  payment,
  taking,
  account,
  relayerId,
  blockSeconds,
}: {
  payment: Pick<Payment, 'deadline' | 'nonce' | 'amount'>
  taking: Taking
  account: AccountState
  relayerId: number
  blockSeconds: bigint
}): RecordRefusalReason {
  if (isDead({ deadline: payment.deadline, blockSeconds })) return 'expired'
  if (account.relayerId !== relayerId) return 'account_not_bound'
  if (isNonceSpent(account, payment.nonce)) return 'nonce_spent'
  if (payment.nonce > account.topNonce + nonceWindowMax) return 'nonce_too_far'
  if (account.balance < payment.amount) return 'insufficient_balance'
  if (availableFloor({ ...account, withdrawAmount: 0n }, 0n, taking) < payment.amount) return 'allowance_short'
  return 'record_refused'
}
