import type { Address, Hex } from 'viem'
import { z } from 'zod'

/** What a webhook carries beside its body. @see https://github.com/standard-webhooks/standard-webhooks */
export const webhookHeaders = {
  /** The same on every try and in every replay. */
  id: 'webhook-id',
  /** Unix seconds of this try. */
  timestamp: 'webhook-timestamp',
  /** Signatures over the same content, separated by spaces; one that fits is enough. */
  signature: 'webhook-signature',
} as const

/** How keys are written: base64 after a prefix that says what they are. */
export const keyPrefix = { hmacSecret: 'whsec_', publicKey: 'whpk_' } as const

/** `v1`: HMAC-SHA256 with the endpoint's secret. `v1a`: ed25519 with the deployment's key. */
export type SignatureScheme = 'v1' | 'v1a'
export type WebhookSignature = { readonly scheme: SignatureScheme; readonly base64: string }

/** A webhook whose timestamp is further away than this is refused: it may be an old one, played again. */
export const timestampToleranceSeconds = 300

/** The exact text that is signed. `body` is what is on the wire, byte by byte. */
export function signedContent({ id, timestamp, body }: { id: string; timestamp: number; body: string }): string {
  return `${id}.${timestamp}.${body}`
}

export function formatSignatures(signatures: readonly WebhookSignature[]): string {
  return signatures.map(({ scheme, base64 }) => `${scheme},${base64}`).join(' ')
}

/** Those of the schemes known here; others may be added, and are skipped. */
export function parseSignatures(header: string): readonly WebhookSignature[] {
  return header.split(' ').flatMap((part): WebhookSignature[] => {
    const [scheme, base64, ...rest] = part.split(',')
    const isKnown = (scheme === 'v1' || scheme === 'v1a') && base64 !== undefined && rest.length === 0
    return isKnown ? [{ scheme, base64 }] : []
  })
}

/** States that a payment can be told to be in; the event's type is `payment.` and the state. */
export const paymentEventStates = [
  'held',
  'accepted',
  'batched',
  'submitted',
  'included',
  'cancelling',
  'finalized',
  'rejected',
  'failed',
  'expired',
  'cancelled',
] as const
export type PaymentEventState = (typeof paymentEventStates)[number]

export const testEventType = 'webhook.test'

/**
 * Whom an event is for. It is part of what is signed: one key signs for all endpoints, so whoever received a webhook could
 * post it to another's URL. A receiver refuses what does not name its own endpoint and app.
 */
const addresseeFields = { endpoint: z.string(), app: z.string() } as const

/** One change of a payment's state. Fields may be added; none is removed or changes its meaning. */
export const paymentEventSchema = z.object({
  type: z.templateLiteral(['payment.', z.enum(paymentEventStates)]),
  /** When the state changed, ISO 8601 in UTC. */
  timestamp: z.iso.datetime(),
  data: z.object({
    ...addresseeFields,
    intent: z.string(),
    /** 1, 2, 3, … per payment, without a gap: whoever has seen a higher one knows more already. */
    sequence: z.int().positive(),
    state: z.enum(paymentEventStates),
    reason: z.string().nullable(),
    chainId: z.int(),
    /** EIP-712 digest of what the payer signed. */
    digest: z.string(),
    payer: z.string(),
    payee: z.string(),
    token: z.string(),
    /** Atomic units, a decimal string. */
    amount: z.string(),
    order: z.string().nullable(),
    /** The merchant's own name for the order: told to the app that registered it, to nobody else. */
    reference: z.string().nullable(),
    batch: z.string().nullable(),
    txHash: z.string().nullable(),
    blockNumber: z.string().nullable(),
    blockHash: z.string().nullable(),
  }),
})
export type PaymentEvent = z.output<typeof paymentEventSchema>

/** Sent when an app asks for it, to see that its endpoint works. */
export const testEventSchema = z.object({
  type: z.literal(testEventType),
  timestamp: z.iso.datetime(),
  data: z.object(addresseeFields),
})
export type TestEvent = z.output<typeof testEventSchema>

export type Addressee = { readonly endpointId: string; readonly appId: string }

/** What never changes about one event, as rows hold it. */
export type PaymentFacts = {
  readonly intentId: string
  readonly sequence: number
  readonly state: PaymentEventState
  readonly reason: string | undefined
  /** ISO 8601 in UTC. */
  readonly at: string
  readonly chainId: number
  readonly digest: Hex
  readonly payer: Address
  readonly payee: Address
  readonly token: Address
  readonly amount: bigint
  readonly orderId: string | undefined
  readonly reference: string | undefined
  readonly batchId: string | undefined
  readonly txHash: Hex | undefined
  readonly blockNumber: bigint | undefined
  readonly blockHash: Hex | undefined
}

/** The body: the same facts give one endpoint the same bytes, on every try and in every process. */
export function renderPaymentEvent({ endpointId, appId }: Addressee, facts: PaymentFacts): string {
  const event: PaymentEvent = {
    type: `payment.${facts.state}`,
    timestamp: facts.at,
    data: {
      endpoint: endpointId,
      app: appId,
      intent: facts.intentId,
      sequence: facts.sequence,
      state: facts.state,
      reason: facts.reason ?? null,
      chainId: facts.chainId,
      digest: facts.digest,
      payer: facts.payer,
      payee: facts.payee,
      token: facts.token,
      amount: `${facts.amount}`,
      order: facts.orderId ?? null,
      reference: facts.reference ?? null,
      batch: facts.batchId ?? null,
      txHash: facts.txHash ?? null,
      blockNumber: facts.blockNumber === undefined ? null : `${facts.blockNumber}`,
      blockHash: facts.blockHash ?? null,
    },
  }
  return JSON.stringify(event)
}

/** @param at ISO 8601 in UTC */
export function renderTestEvent({ endpointId, appId }: Addressee, at: string): string {
  const event: TestEvent = { type: testEventType, timestamp: at, data: { endpoint: endpointId, app: appId } }
  return JSON.stringify(event)
}
