import type { Address, Hex } from 'viem'
import type { AuditedApp, BookedCancel, BookedPayment } from '../audit.ts'
import type { ChainStart } from '../protocol/settlement.ts'

/** The last record of a vault that is built; sequence 0 and a zero hash before the first. */
export type AuditHead = { readonly sequence: bigint; readonly head: Hex }

/** The next record to build: what finality wrote down of it. */
export type OpenRecord = {
  readonly id: string
  readonly sequence: bigint
  /** Hash of the record before. */
  readonly previous: Hex
  readonly txHash: Hex
  readonly blockNumber: bigint
  readonly blockHash: Hex
  readonly batchId: string | undefined
  /** What the batch's anchor commits to; undefined if it is not ours, or older than the audit trail. */
  readonly opening: AuditHead | undefined
}

/** What the books know of the payments that a record names. */
export type BookedFacts = {
  readonly payments: ReadonlyMap<Hex, BookedPayment>
  readonly cancels: ReadonlyMap<number, BookedCancel>
  readonly apps: ReadonlyMap<string, AuditedApp>
}

export type BuiltRecord = { readonly bytes: Uint8Array; readonly sha256: Hex; readonly cid: string }

/** What batching and the building of records need of the books. */
export type Audit = {
  readonly head: (chainId: number, vault: Address) => Promise<AuditHead>
  /** Undefined if all that is final is built. */
  readonly next: (chainId: number, vault: Address) => Promise<OpenRecord | undefined>
  /** By digests that the chain shows. Gives every app among them its public tag, once and for ever. */
  readonly booked: (record: OpenRecord, digests: readonly Hex[]) => Promise<BookedFacts>
  /** Where the chained accounts stood whose runs a final batch of ours settled: a node may not remember. */
  readonly starts: (batchId: string) => Promise<ReadonlyMap<Address, ChainStart>>
  /**
   * Stores the bytes, moves the head and opens one copy per store, in one DB transaction under the head's lock. `moved`:
   * another process was first; nothing was written.
   */
  readonly store: (
    chainId: number,
    vault: Address,
    record: OpenRecord,
    built: BuiltRecord,
  ) => Promise<'stored' | 'moved'>
}
