import { concat, type Hex, numberToHex, sliceHex } from 'viem'
import type { CompactSignature } from './packed.ts'

/** Half the order of secp256k1, rounded down: a larger s is the malleable twin of a smaller one. @see EIP-2 */
const sMax = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n
const parityBit = 1n << 255n

export type ParsedSignature =
  | { readonly outcome: 'ok'; readonly compact: CompactSignature; readonly full: Hex }
  | { readonly outcome: 'malformed'; readonly reason: string }

/**
 * Takes the 65-byte form (v 0, 1, 27 or 28) and the 64-byte form of EIP-2098 and returns both, canonical.
 * The high-s twin is refused: one payment, one signature.
 */
export function parseSignature(signature: Hex): ParsedSignature {
  const bytes = (signature.length - 2) / 2
  if (bytes !== 64 && bytes !== 65) {
    return { outcome: 'malformed', reason: `a signature has 65 or 64 bytes, this one has ${bytes}` }
  }
  const r = sliceHex(signature, 0, 32)
  const second = BigInt(sliceHex(signature, 32, 64))
  const s = bytes === 64 ? second & ~parityBit : second
  if (s === 0n || BigInt(r) === 0n) return { outcome: 'malformed', reason: 'r and s must not be zero' }
  if (s > sMax) return { outcome: 'malformed', reason: 's is in the upper half of the curve order (EIP-2)' }

  let parity: bigint
  if (bytes === 64) parity = second >> 255n
  else {
    const v = Number(sliceHex(signature, 64, 65))
    if (v !== 0 && v !== 1 && v !== 27 && v !== 28) {
      return { outcome: 'malformed', reason: `v is 27 or 28, this one is ${v}` }
    }
    parity = BigInt(v % 27)
  }
  return {
    outcome: 'ok',
    compact: concat([r, numberToHex(s | (parity << 255n), { size: 32 })]),
    full: concat([r, numberToHex(s, { size: 32 }), numberToHex(27n + parity, { size: 1 })]),
  }
}
