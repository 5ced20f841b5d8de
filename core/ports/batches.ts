import type { Address, Hex } from 'viem'
import type { BatchState } from '../batch.ts'
import type { Mode } from '../protocol/taking.ts'
import type { Page, PageRequest } from './page.ts'

export type BatchRecord = {
  readonly id: string
  readonly chainId: number
  readonly vault: Address
  readonly token: Address
  readonly mode: Mode
  readonly state: BatchState
  readonly anchor: Hex
  readonly paymentCount: number
  readonly cancelCount: number
  readonly blockNumber: bigint | undefined
  readonly blockHash: Hex | undefined
  readonly txHash: Hex | undefined
  readonly gasUsed: bigint | undefined
  readonly settledCount: number | undefined
  readonly attempts: readonly {
    readonly id: string
    readonly txHash: Hex | undefined
    readonly state: string
    readonly maxFeePerGasWei: bigint
    readonly createdAtMillis: number
  }[]
  readonly createdAtMillis: number
  readonly includedAtMillis: number | undefined
  readonly finalizedAtMillis: number | undefined
}

/** A batch in a list: without its attempts. */
export type BatchSummary = Omit<BatchRecord, 'attempts'>

/** Which batches a list shows; a field that is undefined leaves nothing out. */
export type BatchQuery = PageRequest & {
  /** Only batches that have, or had, a payment of this app, of its orders, or to a payee that was its own by then. */
  readonly visibleTo: string | undefined
  readonly chainId: number | undefined
  readonly state: BatchState | undefined
}

export type Batches = {
  readonly find: (id: string) => Promise<BatchRecord | undefined>
  readonly list: (query: BatchQuery) => Promise<Page<BatchSummary>>
  /**
   * True if one of the app's payments, a payment of one of its orders, or one to a payee that is its own now, is or was
   * in the batch.
   */
  readonly isVisibleTo: (id: string, appId: string) => Promise<boolean>
}
