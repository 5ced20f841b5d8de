import { z } from '@hono/zod-openapi'
import type { Address } from 'viem'
import { intentStates } from '../../core/intent.ts'
import type { IntentRecord } from '../../core/ports/intents.ts'
import type { Payment } from '../../core/protocol/typed-data.ts'
import { acknowledgementSchema, showAcknowledgement } from './acknowledgement.ts'
import { example } from './example.ts'
import { answer, field, intentJsonSchema, isoOf } from './fields.ts'

/** One submission: what was signed, the signature, and the order it pays if the client knows it. */
export const submissionSchema = z
  .strictObject({ intent: intentJsonSchema, signature: field.signature, order: field.orderId.optional() })
  .meta({ id: 'Submission' })
export type Submission = z.output<typeof submissionSchema>

export const stateSchema = z.enum(intentStates as readonly [string, ...string[]]).meta({
  description: 'failed, expired and cancelled are said only once the signature is dead on chain',
  example: 'accepted',
})

/** What accept decided. */
export const receiptSchema = z
  .object({
    id: z.string().meta({ description: 'Intent id', example: example.intentId }),
    state: stateSchema,
    digest: answer.hash('EIP-712 digest of the payment'),
    reason: z.string().nullable().meta({ description: 'Why it is held or at a bad end', example: null }),
    guarantee: z.enum(['optimistic', 'collateralised']).nullable().meta({ description: 'Null until accepted' }),
    acknowledgement: acknowledgementSchema.nullable(),
    watchUrl: z.string().meta({
      description: 'Server-sent events of its states, for a page without credentials; whoever has the link may watch',
      example: `https://api.example/v1/intents/${example.intentId}/stream?capability=XV1dXV1dXV1dXV1dXV1dXV1dXV1dXV1dXV1dXV1dXV0`,
    }),
  })
  .meta({ id: 'Receipt' })

/** The intent on its way out: strings stay strings. */
export const signedJsonSchema = z
  .object({
    chainId: z.int().meta({ example: example.chainId }),
    contract: answer.address('The vault', example.vault),
    payer: answer.address('Who pays', example.payer),
    payee: answer.address('Who is paid', example.payee),
    token: answer.address('ERC-20 contract', example.token),
    amount: answer.amount('Amount'),
    nonce: z.string().meta({ description: 'Intent nonce', example: example.nonce }),
    deadline: answer.seconds('Last second it can settle'),
    orderRef: z.string().meta({ description: 'Zero without an order', example: example.orderRef }),
  })
  .meta({ description: 'What the payer signs, ready to be sent back with the signature' })

export const intentViewSchema = receiptSchema
  .extend({
    intent: signedJsonSchema,
    order: z.string().nullable().meta({ description: 'The order it pays', example: example.orderId }),
    batch: z
      .object({ id: z.string().meta({ example: example.batchId }), index: z.int().meta({ example: 3 }) })
      .nullable()
      .meta({ description: 'The settlement batch and the position among its payments' }),
    settled: z
      .object({ tx: answer.hash('Transaction'), block: z.string().meta({ example: '1289' }) })
      .nullable()
      .meta({ description: 'Where it settled; final once `state` is finalized' }),
    createdAt: answer.time('When it was stored'),
  })
  .meta({ id: 'IntentView' })

export type Receipt = z.output<typeof receiptSchema>
export type IntentView = z.output<typeof intentViewSchema>
export type IntentJson = z.input<typeof intentJsonSchema>

export function showIntent(record: IntentRecord, watchUrl: string): IntentView {
  const { batchId, batchIndex, settledTx, settledBlock, acknowledgement } = record
  return {
    id: record.id,
    state: record.state,
    digest: record.digest,
    reason: record.reason ?? null,
    guarantee: acknowledgement?.guarantee ?? null,
    acknowledgement: acknowledgement === undefined ? null : showAcknowledgement(acknowledgement),
    watchUrl,
    intent: showPayment({ chainId: record.chainId, contract: record.vault, payment: record.payment }),
    order: record.orderId ?? null,
    batch: batchId === undefined || batchIndex === undefined ? null : { id: batchId, index: batchIndex },
    settled: settledTx === undefined || settledBlock === undefined ? null : { tx: settledTx, block: `${settledBlock}` },
    createdAt: isoOf(record.createdAtMillis),
  }
}

export function showPayment({
  chainId,
  contract,
  payment,
}: {
  chainId: number
  contract: Address
  payment: Payment
}): IntentJson {
  const { payer, payee, token, amount, nonce, deadline, orderRef } = payment
  return {
    chainId,
    contract,
    payer,
    payee,
    token,
    amount: `${amount}`,
    nonce: `${nonce}`,
    deadline: `${deadline}`,
    orderRef,
  }
}
