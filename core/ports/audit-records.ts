import type { Hex } from 'viem'
import type { CopyState, StoreName } from '../archive.ts'

/** An audit record as the API shows it. Hash and CID are undefined until it is built. */
export type AuditRecordView = {
  readonly id: string
  readonly chainId: number
  readonly sequence: bigint
  readonly batchId: string | undefined
  readonly sha256: Hex | undefined
  readonly cid: string | undefined
  readonly copies: readonly {
    readonly store: StoreName
    readonly state: CopyState
    readonly itemId: string | undefined
    readonly failures: number
    readonly lastError: string | undefined
    readonly archivedAtMillis: number | undefined
  }[]
}

export type AuditRecords = {
  readonly find: (id: string) => Promise<AuditRecordView | undefined>
  readonly findOfBatch: (batchId: string) => Promise<AuditRecordView | undefined>
  /** The canonical bytes; undefined until it is built. */
  readonly bytes: (id: string) => Promise<Uint8Array | undefined>
  /** True if one of the app's payments settled in it. Records of batches are also for all who may see the batch. */
  readonly isVisibleTo: (id: string, appId: string) => Promise<boolean>
}
