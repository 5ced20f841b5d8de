import type { Address, Hex } from 'viem'
import type { SignedCancel, SignedPayment } from '../protocol/packed.ts'
import type { SignedPermit } from '../protocol/packed-pull.ts'
import type { Mode, Taking } from '../protocol/taking.ts'
import type { AuditHead } from './audit.ts'

/** Payments and cancels that wait for a transaction, per token and mode of a vault. */
export type Waiting = BatchKind & {
  readonly paymentCount: number
  readonly cancelCount: number
  /** Since the first of them was accepted or, once refused, is due again. */
  readonly oldestAgeMillis: number
}
/** What one batch has in common. */
export type BatchKind = { readonly token: Address; readonly mode: Mode }
export type WaitingPayment = SignedPayment & {
  readonly id: string
  readonly taking: Taking
  readonly permit?: SignedPermit | undefined
}
/** `id`: the payment that it cancels. */
export type WaitingCancel = SignedCancel & { readonly id: string }

export type NewBatch = BatchKind & {
  readonly id: string
  readonly chainId: number
  readonly vault: Address
  readonly anchor: Hex
  /** What the anchor commits to. */
  readonly opening: AuditHead
  readonly payload: Hex
  readonly gasLimit: bigint
  /** `bit`: of the payment's record in the results; all payments of a chained run share one. */
  readonly payments: readonly { readonly id: string; readonly bit: number }[]
  /** In the order of the records in the payload. */
  readonly cancelIds: readonly string[]
}

/** `retryAfterMillis`: the first delay. It doubles with every refusal of the record, up to five minutes. */
export type RecordRefusal = { readonly id: string; readonly reason: string; readonly retryAfterMillis: number }

/** What the batch stage needs of the books. */
export type Batching = {
  /** Counts up to `countMax` payments and as many cancels per token (default 1,024): more than a batch takes tell nothing. */
  readonly waiting: (chainId: number, vault: Address, countMax: number) => Promise<readonly Waiting[]>
  /** Longest due first: what was refused queues behind the others. Read without a lock: `create` takes the lock and refuses what has moved meanwhile. None of `except`: payers. */
  readonly payments: (
    chainId: number,
    vault: Address,
    kind: BatchKind,
    countMax: number,
    except?: readonly Address[],
  ) => Promise<readonly WaitingPayment[]>
  readonly cancels: (
    chainId: number,
    vault: Address,
    token: Address,
    countMax: number,
  ) => Promise<readonly WaitingCancel[]>
  /** Binds all records to the batch in one DB transaction, or none: `raced` if one was cancelled or taken meanwhile. */
  readonly create: (batch: NewBatch) => Promise<'created' | 'raced'>
  /** Keeps records whose simulation failed out of batches for a while, and says why. */
  readonly refuse: (refusals: readonly RecordRefusal[]) => Promise<void>
  readonly refuseCancels: (ids: readonly string[]) => Promise<void>
}
