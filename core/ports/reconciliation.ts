import type { Address, Hex } from 'viem'
import type { Agreement, BreakKind, Difference } from '../break.ts'
import type { AuditRecordFact, DeliveryFacts, Overdue } from '../obligations.ts'
import type { IntentFacts, LedgerBalance, LedgerFacts, Settlement } from '../range-facts.ts'
import type { DaySums, RangeOfDay } from '../reconcile-day.ts'
import type { TokenTotals } from '../totals.ts'
import type { AccountKey } from './chain.ts'

export type VaultKey = { readonly chainId: number; readonly vault: Address }

/** A final block at which the books stood. */
export type FinalBlock = {
  readonly number: bigint
  readonly hash: Hex
  /** Unix seconds of the block. */
  readonly at: bigint
  /** When the books reached it, by the database's clock. */
  readonly recordedAtMillis: number
}
/** Blocks above `from`, up to and including `to`. */
export type BlockRange = { readonly from: FinalBlock; readonly to: FinalBlock }

/** How far a vault is reconciled. */
export type Cursor = {
  readonly block: FinalBlock
  /** What the vault held there by its own events. */
  readonly held: ReadonlyMap<Address, bigint>
  /** Days since 1970 in UTC: the last that was closed. */
  readonly day: number | undefined
}

/** A day that is over and final, as it can be closed. */
export type OpenDay = {
  /** Days since 1970 in UTC. */
  readonly day: number
  readonly from: FinalBlock
  readonly to: FinalBlock
  /** Where the last range before the day ended; undefined if it is the first. */
  readonly formerToBlock: bigint | undefined
  readonly ranges: readonly (RangeOfDay & { readonly settlements: readonly Settlement[] })[]
}

/** What is written about one range or one day, in one DB transaction. */
export type NewReconciliation = {
  readonly id: string
  readonly kind: 'range' | 'day'
  readonly from: FinalBlock
  readonly to: FinalBlock
  /** Of a day: days since 1970. */
  readonly day: number | undefined
  readonly sources: readonly string[]
  readonly totals: readonly TokenTotals[]
  readonly settlements: readonly Settlement[]
  /** By how much a range moved ledger balances; nothing for a day. */
  readonly moved: readonly LedgerBalance[]
  readonly differences: readonly Difference[]
  readonly agreements: readonly Agreement[]
  readonly startedAtMillis: number
}

export type Stored =
  | {
      readonly outcome: 'stored'
      /** New breaks, and open ones whose two sides are no longer as far apart as they were. */
      readonly opened: readonly (Difference & { readonly id: string })[]
      readonly changed: readonly (Difference & { readonly id: string })[]
      readonly cleared: readonly (Agreement & { readonly id: string })[]
    }
  /** Another process was first: nothing was written. */
  | { readonly outcome: 'moved' }

/** What the reconcile stage needs of the books. */
export type Reconciliation = {
  /**
   * Takes the vault for this holder until the lease ends. Undefined: somebody else has it, or the books do not follow it
   * yet. No lock is held when this returns.
   */
  readonly lease: (vault: VaultKey, holder: string, leaseMillis: number) => Promise<Cursor | undefined>
  readonly release: (vault: VaultKey, holder: string) => Promise<void>
  /** Final blocks above a number, lowest first, up to `countMax`. */
  readonly finalBlocks: (vault: VaultKey, above: bigint, countMax: number) => Promise<readonly FinalBlock[]>
  /** Whether the ledger says that money moved in the range: then it is worth a reconciliation of its own. */
  readonly hasMoved: (vault: VaultKey, range: BlockRange) => Promise<boolean>
  /** Lines of the range, and balances before it of `vault`, of all accounts in the lines and of these accounts. */
  readonly ledger: (
    vault: VaultKey,
    range: BlockRange,
    accounts: readonly Pick<LedgerBalance, 'token' | 'account'>[],
  ) => Promise<LedgerFacts>
  readonly intents: (
    vault: VaultKey,
    range: BlockRange,
    digests: readonly Hex[],
  ) => Promise<Omit<IntentFacts, 'reservations'>>
  /** Of these payers' accounts, at one moment. */
  readonly reservations: (vault: VaultKey, accounts: readonly AccountKey[]) => Promise<IntentFacts['reservations']>
  /** A page of all accounts in the order of their payers, above one: whatever nothing on chain touches is seen here. */
  readonly accountsAfter: (
    vault: VaultKey,
    payer: Address | undefined,
    countMax: number,
  ) => Promise<readonly AccountKey[]>
  /** Subjects of breaks of one kind that are open, or accepted and not lapsed; oldest first, up to `countMax`. */
  readonly standingSubjects: (vault: VaultKey, kind: BreakKind, countMax: number) => Promise<readonly string[]>
  /**
   * The first day that is over, final and not closed, once the audit records of its txs are built. What is not built so
   * many hours after the day was final is waited for no longer.
   */
  readonly openDay: (vault: VaultKey, recordAgeHoursMax: number) => Promise<OpenDay | undefined>
  /** Sums of ledger and finalized intents over a range. */
  readonly sums: (vault: VaultKey, range: BlockRange) => Promise<readonly DaySums[]>
  /** The recorded final block of this number. */
  readonly finalBlockAt: (vault: VaultKey, number: bigint) => Promise<FinalBlock | undefined>
  /** Events of these intents and deliveries of them, as far as one has no counterpart in the other. */
  readonly deliveries: (intentIds: readonly string[]) => Promise<DeliveryFacts>
  /** What the audit records of these txs say, and those of any other tx in the range, as far as they are built. */
  readonly auditRecords: (
    vault: VaultKey,
    range: BlockRange,
    txHashes: readonly Hex[],
  ) => Promise<readonly AuditRecordFact[]>
  /** What is open although it is older: records and their copies first, then endpoints; up to `countMax` of each. */
  readonly overdue: (vault: VaultKey, olderThanHours: number, countMax: number) => Promise<readonly Overdue[]>
  readonly store: (vault: VaultKey, reconciliation: NewReconciliation) => Promise<Stored>
}
