import { setImmediate } from 'node:timers/promises'
import { type Address, type Hex, recoverAddress } from 'viem'
import { type Refusal, refusal } from '../core/errors.ts'
import type { CompactSignature } from '../core/protocol/packed.ts'
import { parseSignature } from '../core/protocol/signature.ts'

export type SignatureClaim = { readonly digest: Hex; readonly signature: Hex; readonly signer: Address }
export type CheckedSignature = { readonly outcome: 'ok'; readonly signature: CompactSignature } | Refusal

/** Checks between two breaths of the event loop: a batch of 500 must not hold up everybody else. */
const checksPerTurnMax = 8

/** Whether `signer` signed `digest`, in canonical form. The result carries the 64-byte form that is stored and settled. */
export async function checkSignature({ digest, signature, signer }: SignatureClaim): Promise<CheckedSignature> {
  const parsed = parseSignature(signature)
  if (parsed.outcome === 'malformed') return refusal('signature_malformed', parsed.reason)
  const recovered = await recover(digest, parsed.full)
  if (recovered === undefined) return refusal('signature_malformed', 'r is not on the curve: no key signed this')
  if (recovered !== signer) {
    return refusal('signature_mismatch', `${recovered} signed this, not ${signer}`, { expected: signer, recovered })
  }
  return { outcome: 'ok', signature: parsed.compact }
}

/** Each by itself, in order. */
export async function checkSignatures(claims: readonly SignatureClaim[]): Promise<readonly CheckedSignature[]> {
  const checked: CheckedSignature[] = []
  for (const [index, claim] of claims.entries()) {
    if (index > 0 && index % checksPerTurnMax === 0) await setImmediate()
    checked.push(await checkSignature(claim))
  }
  return checked
}

async function recover(hash: Hex, signature: Hex): Promise<Address | undefined> {
  try {
    return await recoverAddress({ hash, signature })
  } catch {
    // The only inputs are 32 bytes and a canonical signature: what fails is that r is no x-coordinate of a point.
    return undefined
  }
}
