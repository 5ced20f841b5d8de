import { setImmediate } from 'node:timers/promises'
import { type Address, checksumAddress, type Hex } from 'viem'
import { type Refusal, refusal } from '../core/errors.ts'
import type { Signatures } from '../core/ports/signatures.ts'
import type { CompactSignature } from '../core/protocol/packed.ts'
import { parseSignature } from '../core/protocol/signature.ts'

export type SignatureClaim = { readonly digest: Hex; readonly signature: Hex; readonly signer: Address }
export type CheckedSignature = { readonly outcome: 'ok'; readonly signature: CompactSignature } | Refusal

/** A batch of 500 must not hold up everybody else: after that long the event loop may breathe. */
const turnMillisMax = 5

/** Whether `signer` signed `digest`, in canonical form. The result carries the 64-byte form that is stored and settled. */
export function checkSignature(
  signatures: Signatures,
  { digest, signature, signer }: SignatureClaim,
): CheckedSignature {
  const parsed = parseSignature(signature)
  if (parsed.outcome === 'malformed') return refusal('signature_malformed', parsed.reason)
  const recovered = signatures.recover(digest, parsed.full)
  if (recovered === undefined) return refusal('signature_malformed', 'r is not on the curve: no key signed this')
  if (recovered !== signer.toLowerCase()) {
    const other = checksumAddress(recovered)
    return refusal('signature_mismatch', `${other} signed this, not ${signer}`, { expected: signer, recovered: other })
  }
  return { outcome: 'ok', signature: parsed.compact }
}

/** Each by itself, in order. */
export async function checkSignatures(
  signatures: Signatures,
  claims: readonly SignatureClaim[],
): Promise<readonly CheckedSignature[]> {
  const checked: CheckedSignature[] = []
  let turnBegan = performance.now()
  for (const claim of claims) {
    if (performance.now() - turnBegan > turnMillisMax) {
      await setImmediate()
      turnBegan = performance.now()
    }
    checked.push(checkSignature(signatures, claim))
  }
  return checked
}

/** A known answer, signed with the first key of the public test mnemonic. */
const known = {
  digest: `0x${'1ce0'.repeat(16)}`,
  signature:
    '0x4ae9ff35a39a0a9cc83e0beca02b30fee9309cb7b9c61182c8c6f001787bd468332b2d4c8eba3be465f8b57efe634377e511714a2793d8f908111a847fddd8bf1c',
  signer: '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266',
} as const satisfies SignatureClaim
const warmUpRounds = 50

/**
 * Proves at start that signatures are checked rightly here, before any is trusted; it also lets the compiler see the code,
 * so that the first payment is answered as fast as the thousandth.
 * @throws Error if the known answer comes out wrong.
 */
export function proveSignatureCheck(signatures: Signatures): void {
  for (let round = 0; round < warmUpRounds; round++) {
    const good = checkSignature(signatures, known)
    const bad = checkSignature(signatures, { ...known, digest: `0x${'1ce1'.repeat(16)}` })
    if (good.outcome !== 'ok' || bad.outcome !== 'refused')
      throw new Error(`The ${signatures.engine} signature check gives a wrong answer here.`)
  }
}
