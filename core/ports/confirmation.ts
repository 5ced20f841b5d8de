import type { Address, Hex } from 'viem'
import type { ChainViewRecord } from './accounts.ts'
import type { Block } from './chain.ts'

export type IncludedBatch = {
  readonly batchId: string
  readonly attemptId: string
  readonly txHash: Hex
  readonly block: Block
  readonly gasUsed: bigint
  readonly results: Hex
}
/** One of our transactions was mined and failed as a whole. */
export type RevertedBatch = {
  readonly batchId: string
  readonly attemptId: string
  readonly txHash: Hex
  readonly block: Block
  readonly gasUsed: bigint
}
/** A payment that a transaction of somebody else settled, found by its digest. */
export type OutsideSettlement = { readonly digest: Hex; readonly txHash: Hex; readonly blockNumber: bigint }

/** What one walk along the chain found, to be written in one DB transaction. */
export type Confirmed = {
  /** Blocks above this number are no longer canonical: what they included goes back. */
  readonly commonAncestor: bigint
  readonly blocks: readonly Block[]
  /** The last of `blocks`, or the common ancestor if there are none. */
  readonly head: Block
  readonly included: readonly IncludedBatch[]
  readonly reverted: readonly RevertedBatch[]
  readonly outside: readonly OutsideSettlement[]
  readonly isPaused: boolean
}

export type SentAttempt = {
  readonly attemptId: string
  readonly batchId: string
  readonly signer: Address
  readonly accountNonce: number
  readonly txHash: Hex
}

export type Confirmation = {
  readonly view: (chainId: number, vault: Address) => Promise<ChainViewRecord | undefined>
  /** Starts following a vault at a final block. Does nothing if it is followed already. */
  readonly start: (chainId: number, vault: Address, at: Block, isPaused: boolean) => Promise<void>
  /** The canonical block that we stored at this height. */
  readonly storedBlock: (chainId: number, vault: Address, number: bigint) => Promise<Block | undefined>
  readonly attemptsByTx: (txHashes: readonly Hex[]) => Promise<readonly SentAttempt[]>
  /** Signed or sent attempts of batches that are not included. */
  readonly openAttempts: (chainId: number, vault: Address) => Promise<readonly SentAttempt[]>
  /** `moved`: another process walked first; nothing was written. */
  readonly apply: (
    chainId: number,
    vault: Address,
    from: ChainViewRecord,
    confirmed: Confirmed,
  ) => Promise<'applied' | 'moved'>
}
