import type { Hex } from 'viem'
import type { Candidate } from '../core/admit.ts'
import { contractKey, type TokenConfig, tokenDomainOf } from '../core/config.ts'
import { type Refusal, refusal } from '../core/errors.ts'
import { nowSeconds } from '../core/ports/clock.ts'
import type { Admitted } from '../core/ports/intake.ts'
import type { CompactSignature } from '../core/protocol/packed.ts'
import { signedTerms } from '../core/protocol/schema.ts'
import { signablePayment } from '../core/protocol/signable.ts'
import { intentDigest, type Taking } from '../core/protocol/taking.ts'
import type { Payment } from '../core/protocol/typed-data.ts'
import { screen } from '../core/screen.ts'
import { type KnownChains, type KnownContract, refuseChain } from './chains.ts'
import type { GroupCommit } from './group-commit.ts'
import type { Introduction } from './introduce.ts'
import { outageOf } from './outage.ts'
import { checkPermits, draftPermit, type PermitDraft, type Permitted } from './permit.ts'
import type { ApiPorts } from './ports.ts'
import type { Submission } from './schemas/intent.ts'
import { checkSignatures } from './signature.ts'

/** What became of one submission: what intake decided, with the digest that names the payment everywhere. */
export type Accepted = (Exclude<Admitted, Refusal> & { readonly digest: Hex }) | Refusal
export type Accept = (submissions: readonly Submission[], appId: string) => Promise<readonly Accepted[]>

type Draft = {
  readonly outcome: 'ok'
  readonly known: KnownContract
  readonly token: TokenConfig
  readonly payment: Payment
  readonly taking: Taking
  readonly digest: Hex
  /** What the payer's signature is over: the digest, but for an authorization. */
  readonly signedDigest: Hex
  readonly permit: PermitDraft | undefined
  readonly submission: Submission
}
type Signed = Draft & { readonly signature: CompactSignature }

/**
 * The way of submitted payments into the books. Each step takes those that passed the one before; a refused payment
 * keeps its place and its reason, and stops nobody else.
 * @throws RelayError `overloaded` or `store_unavailable` for the whole set: nothing of it is known to be stored.
 */
export function createAccept({
  chains,
  introduction,
  commits,
  ports: { signatures, clock, newId, log },
}: {
  chains: KnownChains
  introduction: Introduction
  commits: GroupCommit<Candidate, Admitted>
  ports: Pick<ApiPorts, 'signatures' | 'clock' | 'newId' | 'log'>
}): Accept {
  return async (submissions, appId) => {
    const drafts = submissions.map(screenOne)
    const signed = await through(drafts, checkAll)
    const introduced = await through(signed, introduceAll)
    const permitted = await through(introduced, (passed) => checkPermits(signatures, passed))
    return through(permitted, (passed) => commitAll(passed, appId))
  }

  function screenOne(submission: Submission): Draft | Refusal {
    const { chainId, contract } = submission.intent
    const { payment, taking } = signedTerms(submission.intent)
    const known = chains.at(chainId, contract)
    if (known === undefined) return refuseChain(chainId, chains)
    const screened = screen({ chain: known.config, contract, payment, taking, nowSeconds: nowSeconds(clock) })
    if (screened.outcome === 'refused') return screened
    const { token } = screened
    const digest =
      taking.mode === 'independent'
        ? signatures.paymentDigest(known.separator, payment)
        : intentDigest(known.separator, payment, taking)
    const signedDigest =
      taking.mode === 'pull' && taking.means === 'authorization'
        ? signablePayment(known.domain, payment, taking, tokenDomainOf(known.config, token)).digest
        : digest
    const permit = draftPermit(known, token, { payment, taking }, submission.permit)
    if (permit !== undefined && 'outcome' in permit) return permit
    return { outcome: 'ok', known, token, payment, taking, digest, signedDigest, permit, submission }
  }

  async function checkAll(drafts: readonly Draft[]): Promise<readonly (Signed | Refusal)[]> {
    const checked = await checkSignatures(
      signatures,
      drafts.map(({ signedDigest, payment, submission }) => ({
        digest: signedDigest,
        signature: submission.signature,
        signer: payment.payer,
      })),
    )
    return zip(drafts, checked, (draft, check) =>
      check.outcome === 'refused' ? check : { ...draft, signature: check.signature },
    )
  }

  async function introduceAll(signed: readonly Signed[]): Promise<readonly (Signed | Refusal)[]> {
    const groups = Map.groupBy(signed, ({ known, token, taking }) => {
      return `${contractKey(known.config)}:${token.address}:${taking.mode}`
    })
    const refusals = new Map<Signed, Refusal>()
    await Promise.all(
      [...groups.values()].map(async (members) => {
        const [first] = members
        if (first === undefined) return
        const payers = members.map(({ payment }) => payment.payer)
        const of = { token: first.token.address, mode: first.taking.mode }
        const outcomes = await introduction.introduce(first.known, of, payers)
        zip(members, outcomes, (member, outcome) => {
          if (outcome.outcome === 'refused') refusals.set(member, outcome)
        })
      }),
    )
    return signed.map((one) => refusals.get(one) ?? one)
  }

  async function commitAll(signed: readonly Permitted<Signed>[], appId: string): Promise<readonly Accepted[]> {
    const candidates = signed.map(
      ({ known, token, payment, taking, digest, signature, signedPermit, submission }): Candidate => ({
        id: newId('pi'),
        appId,
        chain: known.config,
        token,
        payment,
        taking,
        digest,
        signature,
        permit: signedPermit,
        orderId: submission.order,
      }),
    )
    const settled = await commits.submit(candidates)
    return zip(candidates, settled, ({ digest }, result): Accepted => {
      if (result.status === 'rejected') return refuseFault(result.reason)
      return result.value.outcome === 'refused' ? result.value : { ...result.value, digest }
    })
  }

  /** An outage ends the whole request, so that its key can be used again; a fault of one payment stays with it. */
  function refuseFault(error: unknown): Refusal {
    const outage = outageOf(error)
    if (outage !== undefined) throw outage
    log.error({ err: error }, 'A payment could not be committed.')
    return refusal('internal', 'The fault is in the log of ICE.')
  }
}

/** Runs one step on the items that are still in, as one set; refused ones keep their place. */
async function through<In extends { readonly outcome: string }, Out>(
  items: readonly (In | Refusal)[],
  step: (passed: readonly In[]) => Promise<readonly (Out | Refusal)[]>,
): Promise<readonly (Out | Refusal)[]> {
  const passed = items.filter((item): item is In => item.outcome !== 'refused')
  const results = passed.length === 0 ? [] : await step(passed)
  let next = 0
  return items.map((item) => (item.outcome === 'refused' ? (item as Refusal) : (results[next++] as Out | Refusal)))
}

function zip<A, B, C>(left: readonly A[], right: readonly B[], join: (a: A, b: B) => C): readonly C[] {
  if (left.length !== right.length) throw new RangeError(`${right.length} results for ${left.length} items`)
  return left.map((each, index) => join(each, right[index] as B))
}
