import type { Address } from 'viem'
import { contractKey, type TokenConfig, tokenDomainOf } from '../core/config.ts'
import { type Refusal, refusal } from '../core/errors.ts'
import { type Chain, ChainUnavailableError } from '../core/ports/chain.ts'
import type { Signatures } from '../core/ports/signatures.ts'
import type { SignedPermit } from '../core/protocol/packed-pull.ts'
import { type Signable, signablePermit } from '../core/protocol/signable.ts'
import type { Taking } from '../core/protocol/taking.ts'
import type { Payment } from '../core/protocol/typed-data.ts'
import type { KnownContract } from './chains.ts'
import type { Submission } from './schemas/intent.ts'
import { checkSignatures, type SignatureClaim } from './signature.ts'

/** A permit that comes with a payment, before its signature is checked. */
export type PermitDraft = {
  readonly claim: SignatureClaim
  readonly nonce: bigint
  readonly terms: Omit<SignedPermit, 'signature'>
}

/** Everything about a permit that needs neither chain nor cryptography. Undefined: none came along. */
export function draftPermit(
  known: KnownContract,
  token: TokenConfig,
  { payment, taking }: { payment: Payment; taking: Taking },
  permit: Submission['permit'],
): PermitDraft | Refusal | undefined {
  if (permit === undefined) return undefined
  if (taking.mode !== 'pull' || taking.means !== 'allowance') {
    return refusal('invalid_request', 'a permit goes with mode pull and means allowance', { mode: taking.mode })
  }
  const domain = tokenDomainOf(known.config, token, 'permit')
  if (domain === undefined) {
    return refusal('means_unsupported', `${token.symbol} takes no permits`, { token: token.address })
  }
  const { value, nonce, deadline, signature } = permit
  // One that ends earlier could be dead when the payment's batch is sent.
  if (deadline < payment.deadline) {
    const fields = { deadline: `${deadline}`, earliest: `${payment.deadline}` }
    return refusal(
      'permit_invalid',
      `the permit ends at ${deadline}, before the payment at ${payment.deadline}`,
      fields,
    )
  }
  const terms = { owner: payment.payer, value, deadline }
  const { digest } = signablePermit(domain, { ...terms, spender: known.config.vault, nonce })
  return { claim: { digest, signature, signer: payment.payer }, nonce, terms }
}

export type Permitted<One> = One & { readonly signedPermit: SignedPermit | undefined }
type WithPermit = {
  readonly outcome: 'ok'
  readonly known: KnownContract
  readonly token: TokenConfig
  readonly permit: PermitDraft | undefined
}

/**
 * Checks signatures of permits, and that the token expects their nonces next: others could never be used, or only later. Each
 * token is asked once for all of a set.
 */
export async function checkPermits<One extends WithPermit>(
  signatures: Signatures,
  all: readonly One[],
): Promise<readonly (Permitted<One> | Refusal)[]> {
  const drafts = all.flatMap(({ permit, ...rest }) => (permit === undefined ? [] : [{ ...rest, permit }]))
  if (drafts.length === 0) return all.map((one) => ({ ...one, signedPermit: undefined }))
  const claims = drafts.map(({ permit }) => permit.claim)
  const checked = new Map((await checkSignatures(signatures, claims)).map((check, index) => [claims[index], check]))
  const good = drafts.filter(({ permit }) => checked.get(permit.claim)?.outcome === 'ok')
  const misplaced = await refuseNonces(good)
  return all.map((one): Permitted<One> | Refusal => {
    const { permit } = one
    const check = checked.get(permit?.claim)
    if (permit === undefined || check === undefined) return { ...one, signedPermit: undefined }
    if (check.outcome === 'refused') return check
    return misplaced.get(permit) ?? { ...one, signedPermit: { ...permit.terms, signature: check.signature } }
  })
}

type Drafted = Pick<WithPermit, 'known' | 'token'> & { readonly permit: PermitDraft }

async function refuseNonces(drafts: readonly Drafted[]): Promise<ReadonlyMap<PermitDraft, Refusal>> {
  const groups = Map.groupBy(drafts, ({ known, token }) => `${contractKey(known.config)}:${token.address}`)
  const refused = [...groups.values()].map(async (group) => {
    const [first] = group
    if (first === undefined) return []
    const { known, token } = first
    const owners = [...new Set(group.map(({ permit }) => permit.terms.owner))]
    const nonces = await permitNoncesOf(known.node, token.address, owners)
    return group.flatMap(({ permit }): readonly [PermitDraft, Refusal][] => {
      const misplaced = refuseNonce(permit.nonce, nonces?.[owners.indexOf(permit.terms.owner)], known.config.chainId)
      return misplaced === undefined ? [] : [[permit, misplaced]]
    })
  })
  return new Map((await Promise.all(refused)).flat())
}

function refuseNonce(nonce: bigint, expected: bigint | undefined, chainId: number): Refusal | undefined {
  if (expected === undefined) {
    const fields = { chainId, retryAfterSeconds: 2 }
    return refusal('chain_unavailable', `chain ${chainId}: the node did not say which permit comes next`, fields)
  }
  if (nonce === expected) return undefined
  const fields = { nonce: `${nonce}`, expected: `${expected}` }
  return refusal('permit_invalid', `the permit has the nonce ${nonce}, the token expects ${expected}`, fields)
}

/** In the order of the owners; undefined if the node does not answer. */
export async function permitNoncesOf(
  node: Chain | undefined,
  token: Address,
  owners: readonly Address[],
): Promise<readonly bigint[] | undefined> {
  try {
    return await node?.permitNonces(token, owners)
  } catch (error) {
    if (error instanceof ChainUnavailableError) return undefined
    throw error
  }
}

/** What the payer signs so that the settler may take what is open and this payment. */
export function proposePermit(
  known: KnownContract,
  token: TokenConfig,
  { payer, deadline, amount }: Pick<Payment, 'payer' | 'deadline' | 'amount'>,
  { reserved, nonce }: { reserved: bigint; nonce: bigint },
): (Signable & { readonly value: bigint; readonly nonce: bigint; readonly deadline: bigint }) | undefined {
  const domain = tokenDomainOf(known.config, token, 'permit')
  if (domain === undefined) return undefined
  const terms = { value: reserved + amount, nonce, deadline }
  return { ...signablePermit(domain, { ...terms, owner: payer, spender: known.config.vault }), ...terms }
}
