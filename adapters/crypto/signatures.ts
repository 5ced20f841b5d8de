import { createRequire } from 'node:module'
import { recoverAddress } from 'ethers'
import { createKeccak } from 'hash-wasm'
import type { Address, Hex } from 'viem'
import type { Signatures } from '../../core/ports/signatures.ts'
import { encodePayment } from '../../core/protocol/typed-data.ts'

/** The part of npm `secp256k1` that is used: its compiled binding, without its JavaScript fallback. */
type Binding = {
  readonly ecdsaRecover: (rs: Uint8Array, parity: number, digest: Uint8Array, compressed: false) => Uint8Array
}

/** What libsecp256k1 says of an r at or above the curve's order, and of one without a point; the rest would be a fault of ours. */
const noKeySigned = new Set(['Signature could not be parsed', 'Public key could not be recover'])

/** @param isNative false: without the compiled curve, as on a machine that cannot load it. */
export async function createSignatures({ isNative = true } = {}): Promise<Signatures> {
  const hasher = await createKeccak(256)
  const keccak = (bytes: Uint8Array): Buffer => Buffer.from(hasher.init().update(bytes).digest('binary'))
  const binding = isNative ? loadBinding() : undefined

  return {
    engine: binding === undefined ? 'javascript' : 'native',
    paymentDigest: (separator, payment) => {
      const structHash = keccak(bytesOf(encodePayment(payment)))
      return hexOf(keccak(Buffer.concat([prefix, bytesOf(separator), structHash])))
    },
    recover: binding === undefined ? recoverSlowly : recover(binding, keccak),
  }
}

/** EIP-712. */
const prefix = Buffer.from('1901', 'hex')

function loadBinding(): Binding | undefined {
  try {
    return createRequire(import.meta.url)('secp256k1/bindings.js')
  } catch {
    // No prebuilt binary for this platform and no compiler at install: the caller says at start which engine runs.
    return undefined
  }
}

function recover({ ecdsaRecover }: Binding, keccak: (bytes: Uint8Array) => Buffer): Signatures['recover'] {
  return (digest, signature) => {
    const bytes = bytesOf(signature)
    try {
      const publicKey = ecdsaRecover(bytes.subarray(0, 64), (bytes[64] ?? 0) - 27, bytesOf(digest), false)
      return hexOf(keccak(publicKey.subarray(1)).subarray(12))
    } catch (error) {
      if (error instanceof Error && noKeySigned.has(error.message)) return undefined
      throw error
    }
  }
}

const recoverSlowly: Signatures['recover'] = (digest, signature) => {
  try {
    return recoverAddress(digest, signature).toLowerCase() as Address
  } catch {
    // The only inputs are 32 bytes and a canonical signature: what fails is that r is no x-coordinate of a point.
    return undefined
  }
}

const bytesOf = (hex: Hex): Buffer => Buffer.from(hex.slice(2), 'hex')
const hexOf = (bytes: Buffer): Hex => `0x${bytes.toString('hex')}`
