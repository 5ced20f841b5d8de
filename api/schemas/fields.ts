import { z } from '@hono/zod-openapi'
import {
  addressSchema,
  chainIdSchema,
  hexSchema,
  intentSchema,
  misfits,
  signatureSchema,
  textSchema,
  uintSchema,
} from '../../core/protocol/schema.ts'
import { means, modes } from '../../core/protocol/taking.ts'
import { example } from './example.ts'

/** Longer than any id of ours; what is shorter and no id is simply not found. */
const orderIdCharactersMax = 64
const noteCharactersMax = 500
const referenceCharactersMax = 128

/** Fields as requests carry them: parsed at the edge, described for the OpenAPI document. */
export const field = {
  chainId: chainIdSchema.meta({ description: 'EIP-155 chain id', example: example.chainId }),
  payer: addressSchema.meta({ description: 'Who pays. EIP-55, or all in one case', example: example.payer }),
  payee: addressSchema.meta({ description: 'Who is paid', example: example.payee }),
  token: addressSchema.meta({ description: 'ERC-20 contract', example: example.token }),
  amount: uintSchema.meta({
    description: 'Atomic token units as a decimal string: no exponent, sign, space, comma, point or leading zero',
    example: example.amount,
  }),
  signature: signatureSchema.meta({
    description: '65 bytes r ‖ s ‖ v, or 64 bytes of EIP-2098; s in the lower half of the curve order',
    example: example.signature,
  }),
  deadline: uintSchema.meta({ description: 'Unix seconds, inclusive, as a decimal string', example: example.deadline }),
  orderId: textSchema({ charactersMin: 1, charactersMax: orderIdCharactersMax }).meta({
    description: 'Order id',
    example: example.orderId,
  }),
  reference: textSchema({ charactersMin: 1, charactersMax: referenceCharactersMax }).meta({
    description: 'Your own name for it. Stays with ICE; the payer signs a salted hash of it',
    example: 'invoice 2026-1187',
  }),
  note: textSchema({ charactersMin: 0, charactersMax: noteCharactersMax }).meta({
    description: 'Kept in the op-log',
    example: 'Called the customer',
  }),
} as const

/** A chain id in a path or a query. */
export const chainIdTextSchema = z
  .string()
  .regex(/^[1-9][0-9]{0,14}$/, 'a chain id in decimal digits')
  .transform(Number)
  .meta({ description: 'EIP-155 chain id', example: `${example.chainId}` })

/** What a payer signed, as clients send it and as ICE hands it out. */
export const intentJsonSchema = intentSchema
  .extend({
    chainId: field.chainId,
    contract: addressSchema.meta({
      description: 'The vault of that chain; its pull settler for mode pull',
      example: example.vault,
    }),
    mode: z.enum(modes).default('independent').meta({
      description:
        'Out of the payer’s account in the vault: independent, or chained, a run of payments behind one signature. Out of the payer’s wallet: pull',
    }),
    payer: field.payer,
    payee: field.payee,
    token: field.token,
    amount: field.amount,
    nonce: uintSchema
      .optional()
      .meta({ description: 'Intent nonce as `prepare` reserved it; not for mode chained', example: example.nonce }),
    sequence: uintSchema.optional().meta({ description: 'Mode chained: one above that of the payment before' }),
    previous: hexSchema(16).optional().meta({ description: 'Mode chained: link of the payment before, 16 bytes' }),
    means: z.enum(means).optional().meta({
      description:
        'Mode pull: by ERC-20 allowance of the pull settler, or by EIP-3009 authorization for just this payment',
    }),
    deadline: field.deadline,
    orderRef: hexSchema(8).meta({ description: 'Zero without an order', example: example.orderRef }),
  })
  .superRefine((intent, context) => {
    for (const { field: path, message } of misfits(intent)) context.addIssue({ code: 'custom', path: [path], message })
  })
  .meta({
    id: 'Intent',
    description:
      'What the payer signs (EIP-712 `Payment`, `ChainedPayment` or `PullPayment`), with the contract it is signed for.',
  })

/** Fields as answers carry them. Money and uint256 are decimal strings, times ISO 8601 in UTC. */
export const answer = {
  address: (text: string, value: string) => z.string().meta({ description: text, example: value }),
  hash: (text: string) => z.string().meta({ description: `${text}, 32 bytes in hex`, example: example.hash }),
  amount: (text: string) => z.string().meta({ description: `${text}, in atomic units`, example: example.amount }),
  seconds: (text: string) =>
    z.string().meta({ description: `${text}, unix seconds as a decimal string`, example: example.deadline }),
  time: (text: string) => z.string().meta({ description: `${text}, ISO 8601 in UTC`, example: example.time }),
} as const

export const idParams = (what: string, value: string) =>
  z.object({ id: z.string().meta({ description: what, example: value }) })

export const keyHeader = z.object({
  'idempotency-key': z.string().optional().meta({
    description:
      'Required. 16 to 128 visible ASCII characters, fresh for each new request and the same when it is retried. Scoped to your app, kept for at least 24 hours.',
    example: '3f0c1f5e-8a52-4a5e-9b0e-6a2f5b2f9d11',
  }),
})

export function isoOf(millis: number): string {
  return new Date(millis).toISOString()
}
