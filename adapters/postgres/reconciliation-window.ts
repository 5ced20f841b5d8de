import { deadlineAheadSecondsMax } from '../../core/config.ts'
import type { BlockRange } from '../../core/ports/reconciliation.ts'
import { uuidAt } from './codec.ts'

/** Clocks of a process and of the database may disagree by as much. */
const clockSkewMillisMax = 24 * 3600_000

/** Lowest and highest id that a row can have: between them lie a few days, and no other partition is opened. */
export type Window = { readonly low: string; readonly high: string }

/** Ledger entries of a range were written while the books went from its first final block to its last. */
export function entryWindow({ from, to }: BlockRange): Window {
  return {
    low: uuidAt(from.recordedAtMillis - clockSkewMillisMax),
    high: uuidAt(to.recordedAtMillis + clockSkewMillisMax),
  }
}

/**
 * Payments that settled in the range, and their batches: none settles after its deadline, and none was taken longer
 * before its deadline than the vault allows.
 */
export function intentWindow({ from, to }: BlockRange): Window {
  const oldestMillis = (Number(from.at) - deadlineAheadSecondsMax) * 1000
  return { low: uuidAt(oldestMillis - clockSkewMillisMax), high: uuidAt(to.recordedAtMillis + clockSkewMillisMax) }
}
