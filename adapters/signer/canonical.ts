import type { secp256k1 } from '@noble/curves/secp256k1'
import { type Address, type Hex, hexToBytes, toHex } from 'viem'
import { publicKeyToAddress } from 'viem/accounts'

/** r and s as custody gave them, in either half and without a parity. */
export type RawSignature = InstanceType<typeof secp256k1.Signature>

/**
 * The 65 bytes of the Signer port: s in the lower half (EIP-2), v by recovery. Devices give neither.
 * @returns undefined if the signature is not of this digest by this address: another key has answered
 */
export function canonicalSignature(raw: RawSignature, digest: Hex, address: Address): Hex | undefined {
  const signature = raw.normalizeS()
  const bytes = hexToBytes(digest)
  // Parities 2 and 3 stand for an r above the curve's order: about one in 2¹²⁷, and no v of Ethereum says it.
  const parity = [0, 1].find((bit) => {
    const point = signature.addRecoveryBit(bit).recoverPublicKey(bytes).toHex(false)
    return publicKeyToAddress(`0x${point}`) === address
  })
  if (parity === undefined) return undefined
  return `${toHex(signature.toCompactRawBytes())}${parity === 0 ? '1b' : '1c'}`
}
