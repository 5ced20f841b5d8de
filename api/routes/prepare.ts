import { createRoute, type RouteHandler, z } from '@hono/zod-openapi'
import { availableFloor } from '../../core/account.ts'
import { refuseUnbound } from '../../core/admit.ts'
import { type Refusal, RelayError, refusal } from '../../core/errors.ts'
import type { AccountRecord } from '../../core/ports/accounts.ts'
import { nowSeconds } from '../../core/ports/clock.ts'
import type { OrderRecord } from '../../core/ports/orders.ts'
import { zeroOrderRef } from '../../core/protocol/typed-data.ts'
import { type KnownChains, refuseChain } from '../chains.ts'
import type { ApiEnv } from '../environment.ts'
import type { Introduction } from '../introduce.ts'
import { errorOf } from '../middleware/problem.ts'
import type { ApiPorts } from '../ports.ts'
import { example } from '../schemas/example.ts'
import { answer, field, isoOf, keyHeader } from '../schemas/fields.ts'
import { showPayment, signedJsonSchema } from '../schemas/intent.ts'
import { problems } from '../schemas/problem.ts'
import { signablePayment, typedDataSchema } from '../schemas/typed-data.ts'
import { screenTerms } from '../terms.ts'

const prepareBodySchema = z
  .strictObject({
    chainId: field.chainId,
    payer: field.payer,
    order: field.orderId.optional().meta({ description: 'Any app’s order', example: example.orderId }),
    payee: field.payee.optional().meta({ description: 'Without an order', example: example.payee }),
    token: field.token.optional().meta({ description: 'Without an order', example: example.token }),
    amount: field.amount.optional().meta({ description: 'Without an order, in atomic units', example: example.amount }),
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
    code: z.literal('insufficient_balance'),
    detail: z.string().meta({ example: '2500000 of 12500000 USDC units are free' }),
    available: answer.amount('Free now'),
    amount: answer.amount('Wanted'),
    missing: answer.amount('To be deposited'),
  })
  .meta({
    id: 'PrepareWarning',
    description: 'Would be refused at submit if nothing changes; a deposit may still become final.',
  })

const preparedSchema = z
  .object({
    intent: signedJsonSchema,
    typedData: typedDataSchema,
    digest: answer.hash('What the wallet signs in the end'),
    expiresAt: answer.time('The nonce is kept for this payment until then'),
    order: z.string().nullable().meta({ description: 'Send it back with the signature', example: example.orderId }),
    warnings: z.array(warningSchema).meta({ example: [] }),
  })
  .meta({ id: 'Prepared' })

export const prepareRoute = createRoute({
  method: 'post',
  path: '/v1/intents/prepare',
  tags: ['Intents'],
  summary: 'Get exactly what the payer signs',
  description:
    'Reserves an intent nonce and proposes a deadline; when all 64 are handed out, the one that waits longest for its signature is handed out again. Refuses what submit would refuse, as far as it can be known now; a balance that is too low is only a warning, since a deposit may be on its way.',
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
    const screened = screenTerms(known, { ...terms, payer }, now)
    if (screened.outcome === 'refused') throw errorOf(screened)

    const { token } = terms
    const [introduced] = await introduction.introduce(known, token, [payer])
    if (introduced?.outcome === 'refused') throw errorOf(introduced)
    const account = { chainId, vault: known.config.vault, payer, token }
    const record = await accounts.find(account)
    if (record === undefined) throw new RelayError('internal', 'An introduced account is missing.')
    if (record.state.relayerId !== known.config.relayerId || record.state.isRebinding) {
      throw errorOf(refuseUnbound({ payer, state: record.state, relayerId: known.config.relayerId }))
    }

    const { deadline } = screened
    const nonce = await accounts.reserveNonce(account, { expiresAt: deadline, nowSeconds: now })
    if (nonce === 'full') {
      throw new RelayError('nonce_out_of_window', `64 payments of ${payer} are open`, {
        fields: { openMax: 64 },
      })
    }
    const payment = { ...terms, payer, nonce, deadline, orderRef: order?.orderRef ?? zeroOrderRef }
    return c.json(
      {
        intent: showPayment({ chainId, contract: known.config.vault, payment }),
        ...signablePayment(known.domain, payment),
        expiresAt: isoOf(Number(deadline) * 1000),
        order: order?.id ?? null,
        warnings: warningsOf(record, terms.amount, screened.token.symbol),
      },
      201,
    )
  }
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

function warningsOf({ state, reserved }: AccountRecord, amount: bigint, symbol: string) {
  const available = availableFloor(state, reserved)
  if (available >= amount) return []
  return [
    {
      code: 'insufficient_balance' as const,
      detail: `${available} of ${amount} ${symbol} units are free`,
      available: `${available}`,
      amount: `${amount}`,
      missing: `${amount - available}`,
    },
  ]
}
