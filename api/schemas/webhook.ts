import { z } from '@hono/zod-openapi'
import type { WebhookDelivery } from '../../core/ports/webhook-deliveries.ts'
import type { WebhookEndpoint } from '../../core/ports/webhook-endpoints.ts'
import { paymentEventStates } from '../../core/protocol/webhook.ts'
import { example } from './example.ts'
import { answer, isoOf } from './fields.ts'

export const webhookStatesSchema = z
  .array(z.enum(paymentEventStates))
  .min(1)
  .max(paymentEventStates.length)
  .refine((states) => new Set(states).size === states.length, 'each state once')

export const endpointViewSchema = z
  .object({
    id: z.string().meta({ description: 'Endpoint id', example: example.endpointId }),
    url: z.string().meta({ example: example.webhookUrl }),
    states: z
      .array(z.string())
      .nullable()
      .meta({ description: 'States it is told of; null: all', example: ['finalized', 'failed'] }),
    hmac: z.boolean().meta({ description: 'Whether `v1` is signed too; `v1a` always is', example: true }),
    formerSecretUntil: answer.time('The HMAC secret before the last rotation signs too until then').nullable(),
    disabled: z
      .object({
        reason: z.enum(['app', 'gone', 'failing']).meta({
          description: 'app: you disabled it; gone: it answered 410; failing: five days of failures without a success',
        }),
        since: answer.time('Nothing is sent since then; obligations are collected'),
      })
      .nullable()
      .meta({ example: null }),
    failingSince: answer.time('Its first failure since its last success').nullable(),
    createdAt: answer.time('When it was registered'),
  })
  .meta({ id: 'WebhookEndpoint' })

export const deliveryViewSchema = z
  .object({
    id: z.string().meta({ description: 'Delivery id', example: example.deliveryId }),
    webhookId: z.string().meta({
      description: 'The `webhook-id` header: the same on every try and in every replay',
      example: example.deliveryId,
    }),
    endpoint: z.string().meta({ description: 'Endpoint id', example: example.endpointId }),
    intent: z.string().nullable().meta({ description: 'Null for a test event', example: example.intentId }),
    sequence: z.int().nullable().meta({ description: 'Of the event, per payment', example: 5 }),
    type: z.string().meta({ example: 'payment.finalized' }),
    state: z
      .enum(['open', 'delivered', 'dead'])
      .meta({ description: 'dead: given up; replay it', example: 'delivered' }),
    attempts: z.int().meta({ description: 'Tries that were begun', example: 1 }),
    nextAttemptAt: answer.time('Not before then; null once it is delivered or dead').nullable(),
    lastStatus: z.int().nullable().meta({ description: 'HTTP status of the last try', example: 200 }),
    lastError: z.string().nullable().meta({ description: 'Why the last try failed, in a word', example: null }),
    deliveredAt: answer.time('When your endpoint took it').nullable(),
    createdAt: answer.time('When the obligation began'),
  })
  .meta({ id: 'WebhookDelivery' })

export function showEndpoint(endpoint: WebhookEndpoint): z.output<typeof endpointViewSchema> {
  const { id, url, states, hasHmac, disabled } = endpoint
  return {
    id,
    url,
    states: states === undefined ? null : [...states],
    hmac: hasHmac,
    formerSecretUntil: timeOf(hasHmac ? endpoint.formerHmacUntilMillis : undefined),
    disabled: disabled === undefined ? null : { reason: disabled.reason, since: isoOf(disabled.sinceMillis) },
    failingSince: timeOf(endpoint.failingSinceMillis),
    createdAt: isoOf(endpoint.createdAtMillis),
  }
}

export function showDelivery(delivery: WebhookDelivery): z.output<typeof deliveryViewSchema> {
  return {
    id: delivery.id,
    webhookId: delivery.webhookId,
    endpoint: delivery.endpointId,
    intent: delivery.about?.intentId ?? null,
    sequence: delivery.about?.sequence ?? null,
    type: delivery.type,
    state: delivery.state,
    attempts: delivery.attempts,
    nextAttemptAt: timeOf(delivery.dueAtMillis),
    lastStatus: delivery.lastStatus ?? null,
    lastError: delivery.lastError ?? null,
    deliveredAt: timeOf(delivery.deliveredAtMillis),
    createdAt: isoOf(delivery.createdAtMillis),
  }
}

function timeOf(millis: number | undefined): string | null {
  return millis === undefined ? null : isoOf(millis)
}
