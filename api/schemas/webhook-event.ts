import { z } from '@hono/zod-openapi'
import { paymentEventSchema, testEventSchema, webhookHeaders } from '../../core/protocol/webhook.ts'
import { example } from './example.ts'

/** The events as the OpenAPI document shows them: the schemas of the protocol, with an example of each. */
const payment = paymentEventSchema.meta({
  id: 'PaymentEvent',
  description:
    'One change of a payment’s state. Refuse it unless `endpoint` and `app` are yours: the signature alone does not say whom it is for. Act once per `endpoint`, `intent` and `sequence`. Fields may be added.',
  example: {
    type: 'payment.finalized',
    timestamp: example.time,
    data: {
      ...{ endpoint: example.endpointId, app: example.appId },
      ...{ intent: example.intentId, sequence: 5, state: 'finalized', reason: null, chainId: example.chainId },
      ...{ digest: example.hash, payer: example.payer, payee: example.payee, token: example.token },
      ...{ amount: example.amount, order: example.orderId, reference: 'invoice 2026-1187', batch: example.batchId },
      ...{ txHash: example.hash, blockNumber: '1289', blockHash: example.hash },
    },
  },
})
const test = testEventSchema.meta({
  id: 'TestEvent',
  description: 'Sent when you ask for it. Refuse it, too, unless `endpoint` and `app` are yours.',
  example: {
    type: 'webhook.test',
    timestamp: example.time,
    data: { endpoint: example.endpointId, app: example.appId },
  },
})

const headersSchema = z.object({
  [webhookHeaders.id]: z
    .string()
    .meta({ description: 'The same on every try and in every replay', example: example.deliveryId }),
  [webhookHeaders.timestamp]: z.string().meta({ description: 'Unix seconds of this try', example: '1790000000' }),
  [webhookHeaders.signature]: z.string().meta({
    description: 'Signatures over `id.timestamp.body`, separated by spaces; one that fits is enough',
    example: 'v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==',
  }),
})

const eventRoute = (schema: typeof payment | typeof test, summary: string) => ({
  method: 'post' as const,
  summary,
  request: { headers: headersSchema, body: { required: true, content: { 'application/json': { schema } } } },
  responses: {
    200: { description: 'Any 2xx within 10 seconds: taken. Anything else, a redirect too, is tried again' },
    410: { description: 'The endpoint is disabled at once' },
  },
})

/** What is posted to apps, by the name under which the document lists it. */
export const webhookEvents = {
  'payment.{state}': eventRoute(payment, 'A payment’s state has changed'),
  'webhook.test': eventRoute(test, 'A test that you asked for'),
} as const
