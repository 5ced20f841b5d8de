import { createRoute, type RouteHandler, z } from '@hono/zod-openapi'
import { availableFloor } from '../../core/account.ts'
import { type TokenConfig, tokenDomainOf } from '../../core/config.ts'
import { type Refusal, refusal } from '../../core/errors.ts'
import type { AccountRecord } from '../../core/ports/accounts.ts'
import { nowSeconds } from '../../core/ports/clock.ts'
import type { OrderRecord } from '../../core/ports/orders.ts'
import { signablePayment } from '../../core/protocol/signable.ts'
import { means, modes, type Taking } from '../../core/protocol/taking.ts'
import { type Payment, zeroOrderRef } from '../../core/protocol/typed-data.ts'
import { type KnownChains, refuseChain } from '../chains.ts'
import type { ApiEnv } from '../environment.ts'
import type { Introduction } from '../introduce.ts'
import { errorOf } from '../middleware/problem.ts'
import { findPayerAccount, type PayerAccount } from '../payer-account.ts'
import { permitNoncesOf, proposePermit } from '../permit.ts'
import { placeIn } from '../place.ts'
import type { ApiPorts } from '../ports.ts'
import { example } from '../schemas/example.ts'
import { answer, field, isoOf, keyHeader } from '../schemas/fields.ts'
import { showPayment, signedJsonSchema } from '../schemas/intent.ts'
import { problems } from '../schemas/problem.ts'
import { typedDataSchema } from '../schemas/typed-data.ts'
import { screenTerms } from '../terms.ts'

const prepareBodySchema = z
  .strictObject({
    chainId: field.chainId,
    payer: field.payer,
    order: field.orderId.optional().meta({ description: 'Any app’s order', example: example.orderId }),
    payee: field.payee.optional().meta({ description: 'Without an order', example: example.payee }),
    token: field.token.optional().meta({ description: 'Without an order', example: example.token }),
    amount: field.amount.optional().meta({ description: 'Without an order, in atomic units', example: example.amount }),
    mode: z.enum(modes).optional().meta({
      description:
        'How the money is to be taken. Without it: the first account of the payer that is bound to this relayer and has enough, in the order independent, chained, pull',
    }),
    means: z.enum(means).optional().meta({
      description:
        'Mode pull only. Without it: by allowance if that covers the amount, else by authorization if the token takes it',
    }),
  })
  .refine((body) => body.means === undefined || body.mode === 'pull', {
    path: ['means'],
    message: 'only with mode pull',
  })
  .refine((body) => body.order !== undefined || (body.payee && body.token && body.amount !== undefined), {
    message: 'either order, or payee, token and amount',
  })
  .meta({
    id: 'PrepareRequest',
    description: 'An `order`, or `payee`, `token` and `amount`. What is sent beside an order must agree with it.',
    example: { chainId: example.chainId, payer: example.payer, order: example.orderId },
  })
type PrepareBody = z.output<typeof prepareBodySchema>

const warningSchema = z
  .object({
    code: z.enum(['insufficient_balance', 'allowance_short']),
    detail: z.string().meta({ example: '2500000 of 12500000 USDC units are free' }),
    available: answer.amount('Free now'),
    amount: answer.amount('Wanted'),
    missing: answer.amount('To be deposited, or allowed to the pull settler'),
  })
  .meta({
    id: 'PrepareWarning',
    description: 'Would be refused at submit if nothing changes; a deposit may still become final.',
  })

const preparedSchema = z
  .object({
    intent: signedJsonSchema,
    typedData: typedDataSchema,
    digest: answer.hash(
      'What the wallet signs in the end. By authorization that is the token’s; its nonce is the digest of the payment',
    ),
    expiresAt: answer.time('The nonce is kept for this payment until then; a sequence is kept for nobody'),
    order: z.string().nullable().meta({ description: 'Send it back with the signature', example: example.orderId }),
    warnings: z.array(warningSchema).meta({ example: [] }),
    permit: z
      .object({
        value: answer.amount('Covers what is open and this payment'),
        nonce: z.string().meta({ description: 'The token’s own', example: '0' }),
        deadline: answer.seconds('Last second the token takes it'),
        typedData: typedDataSchema,
        digest: answer.hash('What the wallet signs in the end'),
      })
      .nullable()
      .meta({
        description:
          'Where the allowance is short and the token takes permits (EIP-2612): sign it too, and send value, nonce, deadline and signature as `permit`; no approval is needed then',
        example: null,
      }),
  })
  .meta({ id: 'Prepared' })

export const prepareRoute = createRoute({
  method: 'post',
  path: '/v1/intents/prepare',
  tags: ['Intents'],
  summary: 'Get exactly what the payer signs',
  description:
    'Answers with the typed data of the payer’s account: `Payment`, `ChainedPayment`, `PullPayment` or the token’s `ReceiveWithAuthorization`. Reserves an intent nonce and proposes a deadline; when all 64 are handed out, the one that waits longest for its signature is handed out again. Refuses what submit would refuse, as far as it can be known now; a balance that is too low is only a warning, since a deposit may be on its way.',
  request: {
    headers: keyHeader,
    body: { required: true, content: { 'application/json': { schema: prepareBodySchema } } },
  },
  responses: {
    201: { description: 'Ready to sign', content: { 'application/json': { schema: preparedSchema } } },
    ...problems(
      'post',
      'address_checksum_invalid',
      'wrong_chain',
      'wrong_contract',
      'token_unknown',
      'payee_invalid',
      'amount_out_of_range',
      'amount_not_representable',
      'order_not_found',
      'order_mismatch',
      'order_expired',
      'order_paid',
      'account_not_bound',
      'nonce_out_of_window',
      'previous_held',
      'previous_expired',
      'means_unsupported',
      'insufficient_balance',
      'chain_unavailable',
    ),
  },
})

export function prepare({
  ports: { orders, accounts, clock },
  chains,
  introduction,
}: {
  ports: ApiPorts
  chains: KnownChains
  introduction: Introduction
}): RouteHandler<typeof prepareRoute, ApiEnv> {
  return async (c) => {
    const body = c.req.valid('json')
    const { chainId, payer } = body
    const known = chains.find(chainId)
    if (known === undefined) throw errorOf(refuseChain(chainId, chains))
    const now = nowSeconds(clock)
    const order = body.order === undefined ? undefined : await orders.find(body.order)
    const terms = termsOf(body, order, now)
    if ('outcome' in terms) throw errorOf(terms)
    const screened = screenTerms(known, { ...terms, payer, taking: { mode: 'independent' } }, now)
    if (screened.outcome === 'refused') throw errorOf(screened)

    const { token, deadline } = screened
    const wanted = { chainId, payer, token, amount: terms.amount, mode: body.mode }
    const found = await findPayerAccount({ accounts, chains, introduction }, wanted)
    if ('outcome' in found) throw errorOf(found)
    const { nonce, taking } = await placeIn(found, { ...wanted, means: body.means, deadline, now }, accounts)

    const payment = { ...terms, payer, nonce, deadline, orderRef: order?.orderRef ?? zeroOrderRef }
    const { config, domain } = found.known
    return c.json(
      {
        intent: showPayment({ chainId, contract: config.vault, payment, taking }),
        ...signablePayment(domain, payment, taking, tokenDomainOf(config, token)),
        expiresAt: isoOf(Number(deadline) * 1000),
        order: order?.id ?? null,
        warnings: warningsOf(found.record, taking, terms.amount, token.symbol),
        permit: await permitFor(found, token, payment, taking),
      },
      201,
    )
  }
}

/** Undefined to null: there is nothing to permit, or nobody who says which permit comes next. */
async function permitFor({ known, record }: PayerAccount, token: TokenConfig, payment: Payment, taking: Taking) {
  const { state, reserved } = record
  if (taking.mode !== 'pull' || availableFloor(state, reserved, taking) >= payment.amount) return null
  if (taking.means !== 'allowance' || token.permit === undefined) return null
  const [nonce] = (await permitNoncesOf(known.node, token.address, [payment.payer])) ?? []
  const proposed = nonce === undefined ? undefined : proposePermit(known, token, payment, { reserved, nonce })
  if (proposed === undefined) return null
  const { value, deadline, typedData, digest } = proposed
  return { value: `${value}`, nonce: `${nonce}`, deadline: `${deadline}`, typedData, digest }
}

/** Payee, token and amount, from the order or from the request; where both name one, they agree. */
function termsOf(body: PrepareBody, order: OrderRecord | undefined, now: number) {
  if (body.order === undefined) {
    const { payee, token, amount } = body
    if (payee === undefined || token === undefined || amount === undefined) {
      return refusal('invalid_request', 'either order, or payee, token and amount')
    }
    return { payee, token, amount }
  }
  if (order === undefined) return refusal('order_not_found', `there is no order ${body.order}`, { order: body.order })
  return refuseOrder(body, order, now) ?? { payee: order.payee, token: order.token, amount: order.amount }
}

function refuseOrder(body: PrepareBody, order: OrderRecord, now: number): Refusal | undefined {
  for (const field of ['chainId', 'payee', 'token', 'amount'] as const) {
    const actual = body[field]
    if (actual === undefined || actual === order[field]) continue
    const fields = { field, expected: `${order[field]}`, actual: `${actual}` }
    return refusal('order_mismatch', `${field} is ${actual}, the order asks for ${order[field]}`, fields)
  }
  if (order.expiresAt < BigInt(now)) {
    const fields = { expiresAt: `${order.expiresAt}`, now }
    return refusal('order_expired', `order ${order.id} expired at ${order.expiresAt}, now is ${now}`, fields)
  }
  if (order.paidBy !== undefined) {
    return refusal('order_paid', `order ${order.id} has a payment already`, { order: order.id })
  }
  return undefined
}

function warningsOf({ state, reserved }: AccountRecord, taking: Taking, amount: bigint, symbol: string) {
  const available = availableFloor(state, reserved, taking)
  if (available >= amount) return []
  const isAllowanceShort = availableFloor(state, reserved) >= amount
  return [
    {
      code: isAllowanceShort ? ('allowance_short' as const) : ('insufficient_balance' as const),
      detail: isAllowanceShort
        ? `the pull settler may take ${available} of ${amount} ${symbol} units from the wallet`
        : `${available} of ${amount} ${symbol} units are free`,
      available: `${available}`,
      amount: `${amount}`,
      missing: `${amount - available}`,
    },
  ]
}
