import { createRoute, type RouteHandler, z } from '@hono/zod-openapi'
import { deadlineAheadSecondsMax } from '../../core/config.ts'
import { RelayError } from '../../core/errors.ts'
import type { App } from '../../core/ports/apps.ts'
import { nowSeconds } from '../../core/ports/clock.ts'
import type { IntentRecord } from '../../core/ports/intents.ts'
import type { Signatures } from '../../core/ports/signatures.ts'
import type { CompactSignature } from '../../core/protocol/packed.ts'
import { signableCancel, signableConsent } from '../../core/protocol/signable.ts'
import type { KnownChains, KnownContract } from '../chains.ts'
import type { ApiEnv } from '../environment.ts'
import { errorOf } from '../middleware/problem.ts'
import type { ApiPorts } from '../ports.ts'
import { example } from '../schemas/example.ts'
import { field, idParams, keyHeader } from '../schemas/fields.ts'
import { intentViewSchema, showIntent } from '../schemas/intent.ts'
import { problems } from '../schemas/problem.ts'
import { checkSignature } from '../signature.ts'
import type { WatchLinks } from '../watch-link.ts'
import { loadIntent } from './intents.ts'

const cancelBodySchema = z
  .strictObject({
    signature: field.signature.optional().meta({ description: 'The payer’s, over Cancel', example: example.signature }),
    deadline: field.deadline.optional().meta({ description: 'The one in that Cancel', example: example.deadline }),
    consent: field.signature.optional().meta({
      description: 'The payee’s, over CancelConsent; needed for a collateralised payment, whoever asks',
      example: example.signature,
    }),
  })
  .refine(({ signature, deadline }) => (signature === undefined) === (deadline === undefined), {
    message: 'signature and deadline go together',
  })
  .meta({ id: 'CancelRequest' })
type CancelBody = z.output<typeof cancelBodySchema>

export const cancelIntentRoute = createRoute({
  method: 'post',
  path: '/v1/intents/{id}/cancel',
  tags: ['Intents'],
  summary: 'Stop a payment that is not on its way yet',
  description:
    'Without a signature ICE never sends it, and it is cancelled when its deadline has passed. With the payer’s signature its nonce is burned on chain at once. A collateralised payment needs the payer’s signature and the payee’s, whichever app asks. Until its signature is dead on chain it is `cancelling`, and its money stays reserved.',
  request: {
    headers: keyHeader,
    params: idParams('Intent id', example.intentId),
    body: { required: false, content: { 'application/json': { schema: cancelBodySchema } } },
  },
  responses: {
    200: { description: 'It is `cancelling`', content: { 'application/json': { schema: intentViewSchema } } },
    ...problems(
      'post',
      'not_found',
      'cancel_expired',
      'deadline_too_far',
      'signature_malformed',
      'signature_mismatch',
      'cancel_signature_required',
      'cancel_consent_required',
      'intent_not_cancellable',
    ),
  },
})

export function cancelIntent({
  ports: { intents, signatures, clock },
  chains,
  wakeBatch,
  watchLinks,
}: {
  ports: ApiPorts
  chains: KnownChains
  wakeBatch: (chainId: number) => void
  watchLinks: WatchLinks
}): RouteHandler<typeof cancelIntentRoute, ApiEnv> {
  return async (c) => {
    const app = c.get('app')
    const { id } = c.req.valid('param')
    const body: CancelBody = c.req.valid('json') ?? {}
    const record = await loadIntent(intents, id, app)
    if (record.state !== 'held' && record.state !== 'accepted' && record.state !== 'cancelling') {
      throw tooLate(record.id, record.state)
    }
    if (record.state === 'cancelling' && body.signature === undefined)
      return c.json(showIntent(record, watchLinks.urlOf(record.id, c)), 200)
    const known = chains.settling(record.chainId, record.vault)

    const isPromised = record.acknowledgement?.guarantee === 'collateralised'
    const cancel = checkCancel(signatures, known, record, body, { isRequired: isPromised, now: nowSeconds(clock) })
    if (isPromised) checkConsent(signatures, known, record, body)

    const reason = whoAsked(record, app)
    const outcome = await intents.cancel({ id: record.id, reason, isConsented: isPromised, cancel })
    if (outcome.outcome === 'promised') {
      throw new RelayError('cancel_consent_required', 'The payment was promised to its payee a moment ago: ask again.')
    }
    if (outcome.outcome === 'followed') {
      const detail = `Intent ${record.id} is followed by another chained payment: cancel that one first.`
      throw new RelayError('intent_not_cancellable', detail, { fields: { state: record.state } })
    }
    if (outcome.outcome === 'not_cancellable') throw tooLate(record.id, outcome.state)
    if (cancel !== undefined) wakeBatch(record.chainId)
    return c.json(showIntent(await loadIntent(intents, id, app), watchLinks.urlOf(id, c)), 200)
  }
}

/** The payer's order to burn the nonce, checked; undefined if there is none and none is needed. */
function checkCancel(
  signatures: Signatures,
  { domain, config }: KnownContract,
  { payment, taking }: IntentRecord,
  { signature, deadline }: CancelBody,
  { isRequired, now }: { isRequired: boolean; now: number },
): { readonly signature: CompactSignature; readonly deadline: bigint } | undefined {
  if (signature === undefined || deadline === undefined) {
    if (!isRequired) return undefined
    const proposed = BigInt(now + config.promise.prepareSeconds)
    const { typedData } = signableCancel(domain, { ...payment, deadline: proposed })
    throw new RelayError('cancel_signature_required', 'The payee was promised this payment.', { fields: { typedData } })
  }
  if (taking.mode !== 'independent') {
    const detail = `A payment of mode ${taking.mode} has no cancel on chain: send the request without signature and deadline.`
    throw new RelayError('invalid_request', detail, { fields: { mode: taking.mode } })
  }
  const earliest = BigInt(now + config.promise.deadlineSecondsMin)
  if (deadline < earliest) {
    const detail = `deadline ${deadline} is before ${earliest}, the earliest that can be carried out`
    throw new RelayError('cancel_expired', detail, { fields: { deadline: `${deadline}`, earliest: `${earliest}` } })
  }
  const latest = BigInt(now + deadlineAheadSecondsMax)
  if (deadline > latest) {
    const fields = { deadline: `${deadline}`, latest: `${latest}` }
    throw new RelayError('deadline_too_far', `deadline ${deadline} is after ${latest}`, { fields })
  }
  const { digest } = signableCancel(domain, { ...payment, deadline })
  const checked = checkSignature(signatures, { digest, signature, signer: payment.payer })
  if (checked.outcome === 'refused') throw errorOf(checked)
  return { signature: checked.signature, deadline }
}

/**
 * The promise was made to the payee's account, so its key alone can give it up. The app of the order cannot: any app may
 * register an order for any payee, also the one that submits for the payer.
 */
function checkConsent(
  signatures: Signatures,
  { domain }: KnownContract,
  { digest, payment }: IntentRecord,
  { consent }: CancelBody,
): void {
  const signable = signableConsent(domain, digest)
  if (consent === undefined) {
    const detail = `${payment.payee} was promised this payment.`
    throw new RelayError('cancel_consent_required', detail, { fields: { typedData: signable.typedData } })
  }
  const checked = checkSignature(signatures, { digest: signable.digest, signature: consent, signer: payment.payee })
  if (checked.outcome === 'refused') throw errorOf(checked)
}

/** Both sides read it, so it names the role of who asked and never the app. */
function whoAsked(record: IntentRecord, app: App): string {
  if (record.appId === app.id) return 'the app that submitted it asked'
  if (record.orderAppId === app.id) return 'the app of its order asked'
  return record.payeeAppId === app.id ? 'the app of its payee asked' : 'an operator asked'
}

function tooLate(id: string, state: string): RelayError {
  return new RelayError('intent_not_cancellable', `Intent ${id} is ${state}.`, { fields: { state } })
}
