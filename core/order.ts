import { type Address, concat, type Hex, keccak256, sliceHex, stringToHex } from 'viem'

/** What a merchant's app asks to be paid, before anyone signed. */
export type Order = {
  readonly id: string
  readonly appId: string
  readonly chainId: number
  readonly payee: Address
  readonly token: Address
  readonly amount: bigint
  readonly reference: string
  readonly orderHash: Hex
  readonly orderRef: Hex
  /** Unix seconds, inclusive: the last second in which a payment for it is accepted. */
  readonly expiresAt: bigint
}

/** keccak256(orderId ‖ 128-bit server salt ‖ reference): commits to the reference without showing it. */
export function orderHashOf({ id, salt, reference }: { id: string; salt: Hex; reference: string }): Hex {
  return keccak256(concat([stringToHex(id), salt, stringToHex(reference)]))
}

/** The first 8 bytes: what the payer signs and the packed record carries. */
export function orderRefOf(orderHash: Hex): Hex {
  return sliceHex(orderHash, 0, 8)
}
