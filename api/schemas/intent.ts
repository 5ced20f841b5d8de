import { z } from '@hono/zod-openapi'
import type { Address } from 'viem'
import { intentStates } from '../../core/intent.ts'
import type { IntentRecord } from '../../core/ports/intents.ts'
import { uintSchema } from '../../core/protocol/schema.ts'
import { means, modes, type Taking } from '../../core/protocol/taking.ts'
import type { Payment } from '../../core/protocol/typed-data.ts'
import { acknowledgementSchema, showAcknowledgement } from './acknowledgement.ts'
import { example } from './example.ts'
import { answer, field, intentJsonSchema, isoOf } from './fields.ts'

/** What a payer without allowance signs beside a pull by allowance. */
const permitSchema = z
  .strictObject({
    value: field.amount.meta({ description: 'What the pull settler may take from then on, instead of the allowance' }),
    nonce: uintSchema.meta({ description: 'The token’s own count of the payer’s permits', example: '0' }),
    deadline: field.deadline,
    signature: field.signature,
  })
  .meta({ id: 'Permit', description: 'EIP-2612, for the pull settler as spender; as `prepare` proposes it.' })

/** One submission: what was signed, the signature, and the order it pays if the client knows it. */
export const submissionSchema = z
  .strictObject({
    intent: intentJsonSchema,
    signature: field.signature,
    order: field.orderId.optional(),
    permit: permitSchema.optional(),
  })
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
    contract: answer.address('The vault, or the pull settler for mode pull', example.vault),
    mode: z.enum(modes).meta({ description: 'How the money is taken', example: 'independent' }),
    payer: answer.address('Who pays', example.payer),
    payee: answer.address('Who is paid', example.payee),
    token: answer.address('ERC-20 contract', example.token),
    amount: answer.amount('Amount'),
    nonce: z.string().optional().meta({ description: 'Intent nonce; not of mode chained', example: example.nonce }),
    sequence: z.string().optional().meta({ description: 'Mode chained', example: '7' }),
    previous: z.string().optional().meta({ description: 'Mode chained: link of the payment before' }),
    means: z.enum(means).optional().meta({ description: 'Mode pull', example: 'allowance' }),
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
      .meta({ description: 'The settlement batch and the bit of its results; payments of a chained run share one' }),
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
    intent: showPayment({ ...record, contract: record.vault }),
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
  taking,
}: {
  chainId: number
  contract: Address
  payment: Payment
  taking: Taking
}): z.output<typeof signedJsonSchema> {
  const { payer, payee, token, amount, nonce, deadline, orderRef } = payment
  return {
    chainId,
    contract,
    mode: taking.mode,
    payer,
    payee,
    token,
    amount: `${amount}`,
    ...(taking.mode === 'chained' ? { sequence: `${nonce}`, previous: taking.previous } : { nonce: `${nonce}` }),
    ...(taking.mode === 'pull' ? { means: taking.means } : {}),
    deadline: `${deadline}`,
    orderRef,
  }
}
