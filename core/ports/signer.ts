import type { Address, Hex } from 'viem'

/** Custody of one secp256k1 key. Never called inside a DB transaction: it may be a KMS across the network. */
export type Signer = {
  readonly address: Address
  /** Signs 32 bytes; 65 bytes come back, r ‖ s ‖ v with v 27 or 28 and s in the lower half (EIP-2). */
  readonly signDigest: (digest: Hex) => Promise<Hex>
}
