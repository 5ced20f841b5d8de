import type { BatchState } from './batch.ts'

/** Every legal step of one payment. Read top to bottom: it is the pipeline. */
export const steps = {
  held: ['accepted', 'rejected', 'cancelling', 'included', 'expired', 'failed'], // included: somebody else settled it
  accepted: ['batched', 'cancelling', 'included', 'expired', 'failed'],
  batched: ['submitted', 'included', 'accepted'], // accepted: no lane took its batch
  submitted: ['included', 'accepted'], // accepted: its record or its whole transaction failed, for good
  included: ['finalized', 'submitted', 'accepted', 'held', 'cancelling'], // back to what it was: the block was reorged out
  cancelling: ['cancelled', 'included'], // its signature is still alive on chain
  finalized: [],
  rejected: [],
  failed: [],
  expired: [],
  cancelled: [],
} as const satisfies Record<string, readonly string[]>

export type IntentState = keyof typeof steps
export const intentStates = Object.keys(steps) as readonly IntentState[]

export function isLegalStep(from: IntentState, to: IntentState): boolean {
  return (steps[from] as readonly string[]).includes(to)
}

/** Nothing moves a payment out of these: its signature can no longer settle, or it has settled for good. */
export function isTerminal(state: IntentState): boolean {
  return steps[state].length === 0
}

/** What a payment's own row says. Once it is `batched`, its batch's row says the rest. */
export type OwnState = Exclude<IntentState, 'submitted' | 'included'>

/**
 * The state as everybody sees it: a batch of hundreds moves with one write. `isPaid`: the vault's event says that the
 * payment's record settled. The batch may be read a moment after the payment, so an unpaid record of a batch that has
 * ended is still on its way: its row is about to say `accepted`.
 */
export function wireState({
  state,
  isSettledOutside,
  batch,
}: {
  state: OwnState
  isSettledOutside: boolean
  batch: { readonly state: BatchState; readonly isPaid: boolean } | undefined
}): IntentState {
  if (isSettledOutside && !isTerminal(state)) return 'included'
  if (state !== 'batched' || batch === undefined) return state
  if (batch.state === 'reverted' || batch.state === 'dissolved') return 'submitted'
  if (batch.state === 'included' || batch.state === 'finalized') return batch.isPaid ? batch.state : 'submitted'
  return batch.state
}

/** A signature is alive while the chain would still take it: up to and including the second of its deadline. */
export function isDead({ deadline, blockSeconds }: { deadline: bigint; blockSeconds: bigint }): boolean {
  return blockSeconds > deadline
}
