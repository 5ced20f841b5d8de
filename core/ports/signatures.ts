import type { Address, Hex } from 'viem'
import type { Payment } from '../protocol/typed-data.ts'

/** The elliptic curve and the hash behind it, as fast as this machine has them: every payment costs one recovery. */
export type Signatures = {
  /** `native`: libsecp256k1, compiled. `javascript`: where that cannot be loaded; some fifty times slower. */
  readonly engine: 'native' | 'javascript'
  /** The same digest as `paymentDigest` in core/protocol/typed-data.ts. */
  readonly paymentDigest: (separator: Hex, payment: Payment) => Hex
  /**
   * Who signed, in lower case; undefined if r belongs to no point, so that no key can have.
   * @param signature 65 bytes, canonical, v 27 or 28. @see parseSignature
   */
  readonly recover: (digest: Hex, signature: Hex) => Address | undefined
}
