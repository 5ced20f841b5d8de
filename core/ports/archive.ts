import type { Address, Hex } from 'viem'
import type { CopyState, StoreName } from '../archive.ts'
import type { Sealed } from './archive-store.ts'

/** One record in one store, not archived yet, held by this process until its lease ends. */
export type OpenCopy = {
  /** Of the record. */
  readonly id: string
  readonly store: StoreName
  readonly chainId: number
  readonly sequence: bigint
  readonly sha256: Hex
  readonly cid: string
  readonly bytes: Uint8Array
  readonly state: Exclude<CopyState, 'archived'>
  readonly sealed: Sealed | undefined
  readonly failures: number
  readonly fence: number
}

/** Obligations to archive. A write under a claim that somebody has taken over since does nothing. */
export type Archive = {
  /** Takes copies that are due, for so long. No lock is held while the store is asked. */
  readonly claim: (due: {
    readonly chainId: number
    readonly vault: Address
    readonly store: StoreName
    readonly countMax: number
    readonly leaseMillis: number
  }) => Promise<readonly OpenCopy[]>
  /** waiting → sealed: written before anything is sent. Returns false if the claim was lost: then nothing may be sent. */
  readonly seal: (copy: OpenCopy, sealed: Sealed) => Promise<boolean>
  /** sealed → posted. The claim goes on. */
  readonly post: (copy: OpenCopy) => Promise<boolean>
  /** posted → archived, for good. */
  readonly finish: (copy: OpenCopy) => Promise<boolean>
  /** Gives the claim back. Nothing went wrong; it is looked at again later. */
  readonly wait: (copy: OpenCopy, millis: number) => Promise<void>
  /** Gives the claim back after a failure, in the state from which it goes on, with the reason. */
  readonly fail: (
    copy: OpenCopy,
    failure: { readonly state: OpenCopy['state']; readonly reason: string; readonly millis: number },
  ) => Promise<void>
}
