import { cancelBytes, payeeBytes, paymentBytes } from './protocol/packed.ts'
import { pullHeaderBytes } from './protocol/packed-pull.ts'

/** Every legal step of one settlement batch. Its payments take its state from `batched` on. */
export const batchSteps = {
  batched: ['submitted', 'included', 'reverted', 'dissolved'], // dissolved: no lane took it
  submitted: ['included', 'reverted'],
  included: ['finalized', 'submitted'], // back: the block was reorged out
  reverted: ['dissolved', 'submitted'], // the whole transaction failed; its payments go back when that is final
  finalized: [],
  dissolved: [],
} as const satisfies Record<string, readonly string[]>

export type BatchState = keyof typeof batchSteps

export type BatchLimits = {
  readonly paymentCountMax: number
  /** Calldata: nodes pool transactions up to 128 KiB. */
  readonly bytesMax: number
  /** Simulated gas, headroom included; under the transaction cap of EIP-7825 (16,777,216). */
  readonly gasMax: bigint
  /** How long the oldest payment waits for company, in milliseconds. */
  readonly ageMillisMax: number
}

export type CloseDecision =
  | { readonly outcome: 'close'; readonly because: 'count' | 'age' }
  | { readonly outcome: 'wait'; readonly millis: number }

/** Whether what waits is worth a transaction now. Cancels never wait for company. */
export function decideClose({
  paymentCount,
  cancelCount,
  oldestAgeMillis,
  limits,
}: {
  paymentCount: number
  cancelCount: number
  oldestAgeMillis: number
  limits: BatchLimits
}): CloseDecision {
  if (paymentCount + cancelCount >= paymentCountThatFits(limits)) return { outcome: 'close', because: 'count' }
  if (cancelCount > 0 || oldestAgeMillis >= limits.ageMillisMax) return { outcome: 'close', because: 'age' }
  return { outcome: 'wait', millis: limits.ageMillisMax - oldestAgeMillis }
}

/**
 * How many records fit by count and by bytes, whatever the mode: a run of one is smaller than an independent payment, and
 * every payment goes to a payee of its own.
 */
export function paymentCountThatFits({ paymentCountMax, bytesMax }: BatchLimits): number {
  const record = Math.max(paymentBytes + payeeBytes, cancelBytes)
  return Math.max(1, Math.min(paymentCountMax, Math.floor((bytesMax - pullHeaderBytes) / record)))
}
