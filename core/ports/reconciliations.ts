import type { Address } from 'viem'
import type { BreakKind } from '../break.ts'
import type { Settlement } from '../range-facts.ts'
import type { TokenTotals } from '../totals.ts'

export type ReconciliationRecord = {
  readonly id: string
  readonly chainId: number
  readonly vault: Address
  readonly kind: 'range' | 'day'
  /** Exclusive. */
  readonly fromBlock: bigint
  /** Inclusive. */
  readonly toBlock: bigint
  /** Unix seconds of the two blocks. */
  readonly fromAt: bigint
  readonly toAt: bigint
  readonly sources: readonly string[]
  readonly totals: readonly TokenTotals[]
  readonly settlements: readonly Settlement[]
  readonly breakCount: number
  readonly knownCount: number
  readonly openCount: number
  readonly openSecondsMax: number
  readonly startedAtMillis: number
  readonly finishedAtMillis: number
}

export type BreakResolution = 'corrected' | 'accepted' | 'cleared'

export type BreakRecord = {
  readonly id: string
  readonly chainId: number
  readonly vault: Address
  readonly kind: BreakKind
  readonly subject: string
  readonly token: Address | undefined
  readonly expected: string | undefined
  readonly actual: string | undefined
  readonly owner: string
  readonly openedIn: string
  readonly seenIn: string
  readonly openedAtMillis: number
  readonly seenAtMillis: number
  readonly resolution:
    | { readonly kind: BreakResolution; readonly note: string; readonly by: string; readonly atMillis: number }
    | undefined
}

/** `items` newest first; `next`: the last id if there are more. */
export type Slice<Item> = { readonly items: readonly Item[]; readonly next: string | undefined }

export type BreakDecision =
  | { readonly outcome: 'decided'; readonly record: BreakRecord }
  | { readonly outcome: 'not_found' }
  | { readonly outcome: 'not_open'; readonly record: BreakRecord }

/** What operators read and decide. */
export type Reconciliations = {
  readonly find: (id: string) => Promise<ReconciliationRecord | undefined>
  readonly list: (filter: {
    readonly chainId: number | undefined
    readonly kind: 'range' | 'day' | undefined
    readonly hasBreaks: boolean | undefined
    /** Only older ones than this id. */
    readonly after: string | undefined
    readonly countMax: number
  }) => Promise<Slice<ReconciliationRecord>>
  /** Breaks that a reconciliation opened. */
  readonly openedIn: (id: string, countMax: number) => Promise<readonly BreakRecord[]>
  readonly listBreaks: (filter: {
    readonly isOpen: boolean | undefined
    readonly after: string | undefined
    readonly countMax: number
  }) => Promise<Slice<BreakRecord>>
  /** Both write the op-log in the same DB transaction, and change an open break only. */
  readonly assign: (assignment: {
    readonly id: string
    readonly owner: string
    readonly operatorId: string
    readonly note: string | undefined
  }) => Promise<BreakDecision>
  readonly resolve: (resolution: {
    readonly id: string
    readonly kind: Exclude<BreakResolution, 'cleared'>
    readonly operatorId: string
    readonly note: string
  }) => Promise<BreakDecision>
  readonly openCounts: () => Promise<ReadonlyMap<BreakKind, number>>
}
