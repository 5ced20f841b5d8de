import { createRoute, type RouteHandler, z } from '@hono/zod-openapi'
import { RelayError } from '../../core/errors.ts'
import { nowSeconds } from '../../core/ports/clock.ts'
import type { OwnedPayee } from '../../core/ports/payees.ts'
import { addressSchema } from '../../core/protocol/schema.ts'
import { signableOwnership } from '../../core/protocol/signable.ts'
import { type KnownChains, type KnownContract, refuseChain } from '../chains.ts'
import type { ApiEnv } from '../environment.ts'
import { errorOf } from '../middleware/problem.ts'
import type { ApiPorts } from '../ports.ts'
import { example } from '../schemas/example.ts'
import { answer, chainIdTextSchema, field, isoOf, keyHeader } from '../schemas/fields.ts'
import { cursorField, limitField, pageOf, pageSchema, showPage } from '../schemas/page.ts'
import { problems } from '../schemas/problem.ts'
import { typedDataSchema } from '../schemas/typed-data.ts'
import { checkSignature } from '../signature.ts'

/** How long a payee may take to sign, and how far its clock may be ahead of ours. */
const proofSecondsMax = 15 * 60
const skewSecondsMax = 60
/** Payees of one app: its list of payments looks each of them up, on every day of a page. */
const payeesMax = 1_000
/** Chain id and address of the last payee of a page. */
const positionPattern = /^[1-9][0-9]{0,14}\/0x[0-9a-fA-F]{40}$/

const payeeSchema = z.strictObject({ chainId: field.chainId, payee: field.payee })
const prepareBodySchema = payeeSchema.meta({ id: 'PreparePayeeRequest' })
const preparedSchema = z
  .object({
    typedData: typedDataSchema,
    digest: answer.hash('What the payee signs in the end'),
    issuedAt: answer.seconds('Send it back with the signature'),
    expiresAt: answer.time('The signature is taken until then'),
  })
  .meta({ id: 'PreparedPayee' })

export const preparePayeeRoute = createRoute({
  method: 'post',
  path: '/v1/payees/prepare',
  tags: ['Payees'],
  summary: 'Get what a payee signs to become yours',
  description:
    'The signature says that your app may see payments to this account and is told of them. It moves no money. Accounts without a key of their own (contracts) cannot sign it yet.',
  request: {
    headers: keyHeader,
    body: { required: true, content: { 'application/json': { schema: prepareBodySchema } } },
  },
  responses: {
    200: { description: 'Ready to sign', content: { 'application/json': { schema: preparedSchema } } },
    ...problems('post', 'address_checksum_invalid', 'wrong_chain'),
  },
})

export function preparePayee({
  ports: { clock },
  chains,
}: {
  ports: ApiPorts
  chains: KnownChains
}): RouteHandler<typeof preparePayeeRoute, ApiEnv> {
  return async (c) => {
    const { chainId, payee } = c.req.valid('json')
    const issuedAt = BigInt(nowSeconds(clock))
    const { domain } = chainOf(chainId, chains)
    const signable = signableOwnership(domain, { payee, app: c.get('app').id, issuedAt })
    const expiresAt = isoOf((Number(issuedAt) + proofSecondsMax) * 1000)
    return c.json({ ...signable, issuedAt: `${issuedAt}`, expiresAt }, 200)
  }
}

const proveBodySchema = payeeSchema
  .extend({
    issuedAt: field.deadline.meta({ description: 'As it was signed, unix seconds', example: example.deadline }),
    signature: field.signature,
  })
  .meta({ id: 'ProvePayeeRequest' })
const payeeViewSchema = z
  .object({
    chainId: z.int().meta({ example: example.chainId }),
    payee: answer.address('Who is paid', example.payee),
    issuedAt: answer.seconds('When it was signed'),
  })
  .meta({ id: 'PayeeView' })

export const provePayeeRoute = createRoute({
  method: 'post',
  path: '/v1/payees',
  tags: ['Payees'],
  summary: 'Prove that a payee is yours',
  description:
    'From now on you may read payments to it, and your webhook endpoints are told of what happens to them. The latest proof counts, whichever app it names. An app may own 1,000 payees.',
  request: {
    headers: keyHeader,
    body: { required: true, content: { 'application/json': { schema: proveBodySchema } } },
  },
  responses: {
    201: { description: 'It is yours', content: { 'application/json': { schema: payeeViewSchema } } },
    ...problems(
      'post',
      'address_checksum_invalid',
      'wrong_chain',
      'signature_malformed',
      'signature_mismatch',
      'payee_proof_expired',
      'payee_proof_superseded',
      'payees_full',
    ),
  },
})

export function provePayee({
  ports: { payees, signatures, clock },
  chains,
}: {
  ports: ApiPorts
  chains: KnownChains
}): RouteHandler<typeof provePayeeRoute, ApiEnv> {
  return async (c) => {
    const { chainId, payee, issuedAt, signature } = c.req.valid('json')
    const { domain } = chainOf(chainId, chains)
    const now = BigInt(nowSeconds(clock))
    if (issuedAt > now + BigInt(skewSecondsMax) || issuedAt < now - BigInt(proofSecondsMax)) {
      const detail = `issuedAt ${issuedAt} is not within ${proofSecondsMax} seconds before now, ${now}`
      throw new RelayError('payee_proof_expired', detail, { fields: { issuedAt: `${issuedAt}`, now: `${now}` } })
    }
    const appId = c.get('app').id
    const { digest } = signableOwnership(domain, { payee, app: appId, issuedAt })
    const checked = checkSignature(signatures, { digest, signature, signer: payee })
    if (checked.outcome === 'refused') throw errorOf(checked)

    const proof = { chainId, payee, issuedAt, appId, signature: checked.signature }
    const proved = await payees.prove({ ...proof, countMax: payeesMax })
    if (proved.outcome === 'full') {
      throw new RelayError('payees_full', `Your app owns ${payeesMax} payees, as many as it may.`, {
        fields: { countMax: payeesMax },
      })
    }
    if (proved.outcome === 'superseded') {
      const detail = `issuedAt ${issuedAt} is not after ${proved.issuedAt}, which is stored`
      const fields = { issuedAt: `${issuedAt}`, stored: `${proved.issuedAt}` }
      throw new RelayError('payee_proof_superseded', detail, { fields })
    }
    return c.json(showPayee(proof), 201)
  }
}

export const listPayeesRoute = createRoute({
  method: 'get',
  path: '/v1/payees',
  tags: ['Payees'],
  summary: 'List your payees',
  request: { query: z.strictObject({ limit: limitField, cursor: cursorField((text) => positionPattern.test(text)) }) },
  responses: {
    200: {
      description: 'A page, by chain and address',
      content: { 'application/json': { schema: pageSchema(payeeViewSchema) } },
    },
    ...problems('get', 'invalid_request'),
  },
})

export function listPayees({ ports: { payees } }: { ports: ApiPorts }): RouteHandler<typeof listPayeesRoute, ApiEnv> {
  return async (c) => {
    const { limit, cursor } = c.req.valid('query')
    const [chainId, payee] = cursor?.split('/') ?? []
    const after =
      payee === undefined ? undefined : { chainId: Number(chainId), payee: addressSchema.parse(payee.toLowerCase()) }
    const owned = await payees.list({ appId: c.get('app').id, after, countMax: limit + 1 })
    return c.json(
      showPage(
        pageOf(owned, limit, (each) => `${each.chainId}/${each.payee}`),
        showPayee,
      ),
      200,
    )
  }
}

export const disownPayeeRoute = createRoute({
  method: 'delete',
  path: '/v1/payees/{chainId}/{payee}',
  tags: ['Payees'],
  summary: 'Give a payee up',
  description:
    'You are told of its payments no more. Proofs that were signed up to now are worth nothing from then on.',
  request: { params: z.object({ chainId: chainIdTextSchema, payee: field.payee }) },
  responses: {
    204: { description: 'Given up' },
    ...problems('get', 'invalid_request', 'address_checksum_invalid', 'not_found'),
  },
})

export function disownPayee({
  ports: { payees, clock },
}: {
  ports: ApiPorts
}): RouteHandler<typeof disownPayeeRoute, ApiEnv> {
  return async (c) => {
    const payee = { ...c.req.valid('param'), appId: c.get('app').id, nowSeconds: nowSeconds(clock) }
    if (!(await payees.disown(payee))) throw new RelayError('not_found', 'No such payee of yours.')
    return c.body(null, 204)
  }
}

function chainOf(chainId: number, chains: KnownChains): KnownContract {
  const known = chains.find(chainId)
  if (known === undefined) throw errorOf(refuseChain(chainId, chains))
  return known
}

function showPayee({ chainId, payee, issuedAt }: OwnedPayee): z.output<typeof payeeViewSchema> {
  return { chainId, payee, issuedAt: `${issuedAt}` }
}
