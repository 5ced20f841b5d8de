import type { Hex } from 'viem'
import { chainedPaymentDigest, type Payment, paymentDigest, pullPaymentDigest } from './typed-data.ts'

/**
 * How a payment's money is taken. Out of the payer's account in the vault: `independent`, each payment by itself, or
 * `chained`, a run of payments behind one signature. Or `pull`: out of the payer's own wallet.
 */
export const modes = ['independent', 'chained', 'pull'] as const
export type Mode = (typeof modes)[number]

/** What lets the pull settler take the money: an ERC-20 allowance, or an authorization for just this payment (EIP-3009). */
export const means = ['allowance', 'authorization'] as const
export type Means = (typeof means)[number]

/** Beside a `Payment`, whose `nonce` is the sequence of a chained one. `previous`: the link of the payment before, 16 bytes. */
export type Taking =
  | { readonly mode: 'independent' }
  | { readonly mode: 'chained'; readonly previous: Hex }
  | { readonly mode: 'pull'; readonly means: Means }

/** The EIP-712 digest that names a payment everywhere. `separator`: of the contract that settles it. */
export function intentDigest(separator: Hex, payment: Payment, taking: Taking): Hex {
  if (taking.mode === 'independent') return paymentDigest(separator, payment)
  if (taking.mode === 'pull') return pullPaymentDigest(separator, payment)
  return chainedPaymentDigest(separator, { ...payment, sequence: payment.nonce, previous: taking.previous })
}
