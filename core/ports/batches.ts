import type { Address, Hex } from 'viem'
import type { BatchState } from '../batch.ts'

export type BatchRecord = {
  readonly id: string
  readonly chainId: number
  readonly vault: Address
  readonly token: Address
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

export type Batches = {
  readonly find: (id: string) => Promise<BatchRecord | undefined>
  /** True if one of the app's payments, or a payment of one of its orders, is in the batch. */
  readonly isVisibleTo: (id: string, appId: string) => Promise<boolean>
}
