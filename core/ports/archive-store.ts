import type { StoreName } from '../archive.ts'
import type { Found } from './chain.ts'

/** Could not ask, or no sensible answer: says nothing about what the store holds. A later try may succeed. */
export class StoreUnavailableError extends Error {
  constructor(store: StoreName, question: string, { cause }: { cause?: unknown } = {}) {
    super(`${store} did not answer: ${question}`, { cause })
    this.name = 'StoreUnavailableError'
  }
}

/** `envelope`: what goes to the store besides the bytes, so that sending twice is sending the same. */
export type Sealed = { readonly id: string; readonly envelope: string }

export type PutOutcome =
  | { readonly outcome: 'taken' }
  /** It will not take this, or says that it holds something else: seal again and look at the reason. */
  | { readonly outcome: 'refused'; readonly reason: string }

export type Keeping =
  | { readonly outcome: 'kept' }
  /** On its way, as it should be: too few confirmations, so far. */
  | { readonly outcome: 'pending'; readonly have: number; readonly need: number }
  /** It was dropped, unpinned or never came. */
  | { readonly outcome: 'absent' }

/**
 * A public place that keeps bytes under an id for anybody to read. Its word is never taken for it: an id is made here,
 * and a copy counts once the store gave the very bytes back.
 * Every method throws StoreUnavailableError within `timeoutMillisMax` of its adapter when the store does not answer.
 */
export type ArchiveStore = {
  readonly name: StoreName
  /** Milliseconds between two looks at what is pending. */
  readonly lookEveryMillis: number
  /** The id that these bytes will have, before anything is sent. */
  readonly seal: (bytes: Uint8Array, tags: Readonly<Record<string, string>>) => Promise<Sealed>
  /** Safe to repeat: what the store already has is taken. */
  readonly put: (bytes: Uint8Array, sealed: Sealed) => Promise<PutOutcome>
  readonly keeping: (id: string) => Promise<Keeping>
  /** Reads no more than `sizeMax` + 1 bytes: whatever a store sends back, memory is bounded. */
  readonly read: (id: string, sizeMax: number) => Promise<Found<Uint8Array>>
}
