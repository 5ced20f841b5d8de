import type { Address, Hex } from 'viem'
import type { Fees } from '../lane.ts'

/** An EIP-1559 tx of a lane, before it is signed. */
export type LaneTransaction = {
  readonly chainId: number
  readonly accountNonce: number
  readonly to: Address
  readonly data: Hex
  readonly gasLimit: bigint
  readonly fees: Fees
}

/** Turns a lane's tx into what is broadcast; its key may live in an HSM or KMS, so it is never called inside a DB transaction. */
export type LaneSigner = {
  readonly address: Address
  /** It finishes what is bound to it and takes no new batch, so that its key can be removed. */
  readonly isRetiring: boolean
  readonly sign: (transaction: LaneTransaction) => Promise<{ readonly rawTx: Hex; readonly hash: Hex }>
}
