import type { Hex } from 'viem'
import type { Candidate } from '../admit.ts'
import type { Refusal } from '../errors.ts'
import type { Acknowledgement, AcknowledgementKey } from '../protocol/typed-data.ts'

/** Signs roots with a short-lived key that the relayer's authority certified. */
export type Acknowledger = {
  readonly certificate: (chainId: number) => KeyCertificate
  /** 65-byte signature over `AcknowledgementRoot` in the domain of this chain's vault. Local and fast: no HSM call. */
  readonly signRoot: (chainId: number, root: Hex) => Promise<Hex>
}

/** `AcknowledgementKey` and the authority's signature over it, as handed to clients and to `settleOverdue`. */
export type KeyCertificate = AcknowledgementKey & { readonly authority: Hex; readonly signature: Hex }

export type SignedAcknowledgement = Acknowledgement & {
  readonly proof: readonly Hex[]
  readonly root: Hex
  readonly rootSignature: Hex
  readonly key: KeyCertificate
}

export type Admitted =
  | { readonly outcome: 'accepted'; readonly id: string; readonly acknowledgement: SignedAcknowledgement }
  | { readonly outcome: 'held'; readonly id: string; readonly reason: string }
  | { readonly outcome: 'known'; readonly id: string }
  | Refusal

export type Intake = {
  /**
   * Decides a set of payments by `core/admit.ts` and commits the accepted and held ones, their reservations, pending
   * ledger entries and acknowledgements in ONE DB transaction: an answer exists only if it is on disk.
   * Accounts must have been introduced. Results in the order of the candidates.
   */
  readonly admit: (candidates: readonly Candidate[], nowSeconds: number) => Promise<readonly Admitted[]>
}
