import { type Address, type Hex, recoverAddress } from 'viem'
import { merkleFold } from '../core/protocol/merkle.ts'
import {
  type Acknowledgement,
  acknowledgementKeyDigest,
  acknowledgementLeaf,
  acknowledgementRootDigest,
  domainOf,
  domainSeparator,
  type Guarantee,
  guarantees,
  zeroHash,
  zeroOrderRef,
} from '../core/protocol/typed-data.ts'
import { chainOf, type Facts, isSameHex } from './facts.ts'
import type { AcknowledgementJson } from './intent.ts'

/** What ICE has promised, proved by its signatures. */
export type Promised = {
  readonly outcome: 'promised'
  readonly paymentDigest: Hex
  /** `collateralised`: anyone with the payer's signature and the acknowledgement can settle it on chain after `settleBy`. */
  readonly guarantee: Guarantee
  /** What the payee gets less, in atomic units. */
  readonly fee: bigint
  readonly orderHash: Hex
  /** Unix seconds, both. */
  readonly acceptedAt: bigint
  readonly settleBy: bigint
}
/** Where the check ended, in its order. */
export type Step = 'shape' | 'digest' | 'order' | 'path' | 'root' | 'relayer' | 'authority' | 'certificate' | 'period'
export type Unproven = { readonly outcome: 'unproven'; readonly step: Step; readonly detail: string }

/**
 * Checks an acknowledgement without asking anybody: it is for this payment and order, it leads to the root, the root is
 * signed by the key, the key was certified by the authority of this deployment, and accepted in the key's time.
 * @param payment what the payer signed: `digest` as computed by the wallet, `orderRef` zero without an order
 */
export async function checkAcknowledgement(
  acknowledgement: AcknowledgementJson,
  { chainId, digest, orderRef, facts }: { chainId: number; digest: Hex; orderRef: Hex; facts: Facts },
): Promise<Promised | Unproven> {
  const { vault, relayerId } = chainOf(facts, chainId)
  const read = readAcknowledgement(acknowledgement)
  if (read === undefined) return unproven('shape', 'a field is missing or is not what it should be')
  const { leaf, proof, root, rootSignature, key } = read
  if (!isSameHex(leaf.paymentDigest, digest))
    return unproven('digest', `it is for ${leaf.paymentDigest}, not ${digest}`)
  const isOrdered = !isSameHex(orderRef, zeroOrderRef)
  const isOrder = isOrdered ? isSameHex(leaf.orderHash.slice(0, 18), orderRef) : isSameHex(leaf.orderHash, zeroHash)
  if (!isOrder) return unproven('order', `it is for the order ${leaf.orderHash}, the payment for ${orderRef}`)

  const folded = merkleFold(acknowledgementLeaf(leaf), proof)
  if (!isSameHex(folded, root)) return unproven('path', `it leads to the root ${folded}, not ${root}`)
  const separator = domainSeparator(domainOf({ chainId, vault }))
  const rootSigner = await signerOf(acknowledgementRootDigest(separator, root), rootSignature)
  if (!isSameHex(rootSigner, key.key)) return unproven('root', `${rootSigner} signed the root, not the key ${key.key}`)

  if (key.relayerId !== relayerId)
    return unproven('relayer', `the key is of relayer ${key.relayerId}, not ${relayerId}`)
  const authority = facts.acknowledgementAuthority
  if (!isSameHex(key.authority, authority)) return unproven('authority', `${key.authority} is not ${authority}`)
  const certifier = await signerOf(acknowledgementKeyDigest(separator, key), key.signature)
  if (!isSameHex(certifier, authority))
    return unproven('certificate', `${certifier} certified the key, not ${authority}`)
  const { acceptedAt } = leaf
  if (acceptedAt < key.notBefore || acceptedAt > key.notAfter) {
    return unproven('period', `accepted at ${acceptedAt}, the key is good from ${key.notBefore} to ${key.notAfter}`)
  }
  return { outcome: 'promised', ...leaf }
}

function unproven(step: Step, detail: string): Unproven {
  return { outcome: 'unproven', step, detail }
}

/** Of a path: more leaves than 2⁶⁴ are in no tree. */
const proofMax = 64

/** What came over the wire, with every length that is hashed made sure of. */
function readAcknowledgement({ proof, root, rootSignature, key, ...rest }: AcknowledgementJson) {
  if (!Array.isArray(proof) || proof.length > proofMax || typeof key !== 'object' || key === null) return undefined
  const { paymentDigest, orderHash, fee, guarantee, acceptedAt, settleBy } = rest
  const words = [paymentDigest, orderHash, root, ...proof]
  const signatures = [rootSignature, key.signature]
  const numbers = [fee, acceptedAt, settleBy, key.notBefore, key.notAfter]
  const isWhole =
    words.every((word) => /^0x[0-9a-fA-F]{64}$/.test(word)) &&
    signatures.every((signature) => /^0x[0-9a-fA-F]{130}$/.test(signature)) &&
    numbers.every((number) => /^(0|[1-9][0-9]{0,76})$/.test(number)) &&
    [key.key, key.authority].every((address) => /^0x[0-9a-fA-F]{40}$/.test(address)) &&
    Object.hasOwn(guarantees, guarantee)
  if (!isWhole) return undefined
  const lower = (hex: string) => hex.toLowerCase() as Hex
  const leaf: Acknowledgement = {
    paymentDigest: lower(paymentDigest),
    orderHash: lower(orderHash),
    fee: BigInt(fee),
    guarantee,
    acceptedAt: BigInt(acceptedAt),
    settleBy: BigInt(settleBy),
  }
  return {
    leaf,
    proof: proof.map(lower),
    root: lower(root),
    rootSignature: lower(rootSignature),
    key: {
      relayerId: key.relayerId,
      key: lower(key.key),
      authority: lower(key.authority),
      signature: lower(key.signature),
      notBefore: BigInt(key.notBefore),
      notAfter: BigInt(key.notAfter),
    },
  }
}

/** No curve point, no signer: then it is nobody's. */
function signerOf(hash: Hex, signature: Hex): Promise<Address | 'nobody'> {
  return recoverAddress({ hash, signature }).catch((): 'nobody' => 'nobody')
}
