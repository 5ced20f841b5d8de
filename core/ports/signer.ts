import type { Address, Hex } from 'viem'

/** Custody of one secp256k1 key. Never called inside a DB transaction: it may be a KMS across the network. */
export type Signer = {
  readonly address: Address
  /**
   * Signs 32 bytes; 65 bytes come back, r ‖ s ‖ v with v 27 or 28 and s in the lower half (EIP-2). Two signatures of one
   * digest may differ: custody chooses its own nonces.
   * @throws SignerUnavailableError, SignerRefusedError; neither quotes a key, password or PIN
   */
  readonly signDigest: (digest: Hex) => Promise<Hex>
}

/** Custody could not be asked or did not answer in time. Nothing is lost; a retry helps once it is back. */
export class SignerUnavailableError extends Error {
  override readonly name = 'SignerUnavailableError'
  readonly isRetryable = true
  /** @param who begins the sentence: `The PKCS#11 token ice` */
  constructor(who: string, reason: string) {
    super(`${who} does not answer: ${reason}.`)
  }
}

/** Custody answered no: a wrong password or PIN, no such key, no right to use it. A retry helps once a person has changed that. */
export class SignerRefusedError extends Error {
  override readonly name = 'SignerRefusedError'
  readonly isRetryable = false
  readonly reason: string
  constructor(who: string, reason: string) {
    super(`${who} cannot be used: ${reason}.`)
    this.reason = reason
  }
}
