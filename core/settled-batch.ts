import type { Address, Hex } from 'viem'
import { decodeResults, type SignedCancel } from './protocol/packed.ts'
import { type ChainStart, decodeSettlement, type PackedPayment } from './protocol/settlement.ts'
import { intentDigest, type Mode } from './protocol/taking.ts'

/** A batch as the chain shows it: what was sent, and what became of it. */
export type MinedBatch = {
  readonly payload: Hex
  /** Of its token. */
  readonly scale: bigint
  readonly results: Hex
  /** Where the chained accounts in it stood before it; nothing for other modes. */
  readonly starts: ReadonlyMap<Address, ChainStart>
}

export type BatchedPayment = PackedPayment & {
  readonly isSettled: boolean
  /** Undefined in a refused run, see `isPlaced`. */
  readonly digest: Hex | undefined
}
export type SettledPayment = BatchedPayment & { readonly digest: Hex }
export type SettledBatch = {
  readonly mode: Mode
  readonly token: Address
  readonly anchor: Hex
  readonly payments: readonly BatchedPayment[]
  readonly cancels: readonly (SignedCancel & { readonly bit: number; readonly isSettled: boolean })[]
}

/** @param separator of the contract that settled it @throws RangeError if payload or results are malformed */
export function settledBatch({ payload, scale, results, starts }: MinedBatch, separator: Hex): SettledBatch {
  const { mode, token, anchor, payments, cancels, bitCount } = decodeSettlement(payload, scale)
  const bits = decodeResults(results, bitCount)
  const isSettled = (bit: number): boolean => bits[bit] === true
  return {
    ...{ mode, token, anchor },
    payments: payments({ startOf: (payer) => starts.get(payer), isSettled }).map((each) => ({
      ...each,
      isSettled: isSettled(each.bit),
      digest: each.isPlaced ? intentDigest(separator, each.payment, each.taking) : undefined,
    })),
    cancels: cancels.map((cancel) => ({ ...cancel, isSettled: isSettled(cancel.bit) })),
  }
}

export function isSettledPayment(payment: BatchedPayment): payment is SettledPayment {
  return payment.isSettled && payment.digest !== undefined
}
