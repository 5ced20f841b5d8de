import type { Address, Hex } from 'viem'
import type { Fees } from '../lane.ts'

export type LaneKey = { readonly chainId: number; readonly signer: Address }

/** The right to write one lane. A later holder has a larger fence; writes under an older one do nothing and throw. */
export type Lease = LaneKey & { readonly fence: number }

export class FencedOffError extends Error {
  constructor({ chainId, signer, fence }: Lease) {
    super(`Lane ${signer} on chain ${chainId} has a newer holder than fence ${fence}`)
    this.name = 'FencedOffError'
  }
}

/** A signed tx stays valid on chain until its account nonce is used up, whatever is signed after it. */
export type SignedAttempt = { readonly id: string; readonly rawTx: Hex; readonly sinceSendMillis: number | undefined }

/** The newest attempt of one account nonce that has not been mined, with what is signed. */
export type OpenAttempt = {
  readonly id: string
  readonly batchId: string
  readonly accountNonce: number
  readonly state: 'prepared' | 'signed' | 'sent'
  readonly fees: Fees
  readonly vault: Address
  readonly payload: Hex
  readonly gasLimit: bigint
  /** The newest attempt of this account nonce that is signed: an older one while this one is prepared. */
  readonly signed: SignedAttempt | undefined
  /** By the clock that stamped the row, so that no two clocks are compared. */
  readonly ageMillis: number
  readonly sinceSendMillis: number | undefined
}

/** Batches that are not final and that only this signer can send. `ageSeconds`: of the oldest that is not included. */
export type BoundLane = { readonly signer: Address; readonly batchCount: number; readonly ageSeconds: number }

/** What the submit stage needs of the books. Everything is stored before it is done: nonce and payload, then the signed tx, then the send. */
export type Lanes = {
  /** Takes or extends the lease; undefined while another process holds it. */
  readonly lease: (lane: LaneKey, holder: string, leaseMillis: number) => Promise<Lease | undefined>
  /** Gives up what `holder` holds, so that the next holder need not wait for the end of its lease. */
  readonly release: (lane: LaneKey, holder: string) => Promise<void>
  /** In the order of account nonces. */
  readonly openAttempts: (lane: LaneKey) => Promise<readonly OpenAttempt[]>
  /** Highest account nonce that was ever bound to a batch; undefined for a new lane. */
  readonly storedNonceMax: (lane: LaneKey) => Promise<number | undefined>
  /** Of all contracts but these. */
  readonly unassignedCount: (chainId: number, except?: readonly Address[]) => Promise<number>
  /** Binds the oldest unassigned batches to consecutive account nonces from `firstNonce`, for ever. Returns how many. */
  readonly allocate: (
    lease: Lease,
    allocation: {
      readonly firstNonce: number
      readonly countMax: number
      readonly fees: Fees
      /** Contracts whose batches are left where they are. */
      readonly except?: readonly Address[]
    },
  ) => Promise<number>
  /** Only what is stored may be sent. False if the attempt was signed already: custody may sign the same tx differently. */
  readonly storeSigned: (
    lease: Lease,
    attempt: { readonly id: string; readonly rawTx: Hex; readonly hash: Hex },
  ) => Promise<boolean>
  /** Marks the attempt sent and its batch submitted. */
  readonly storeSent: (lease: Lease, id: string) => Promise<void>
  /** A better paid attempt with the same nonce and payload; the old one stays valid on chain and is still recognised. */
  readonly replace: (lease: Lease, replacement: { readonly id: string; readonly fees: Fees }) => Promise<void>
  /** Somebody else's transaction used this account nonce up, finally: its batch may get another one. */
  readonly loseNonce: (lease: Lease, accountNonce: number) => Promise<void>
  /** Whose account nonces carry batches that are not final. */
  readonly bound: (chainId: number) => Promise<readonly BoundLane[]>
  readonly setPaused: (lease: Lease, reason: string | undefined) => Promise<void>
}
