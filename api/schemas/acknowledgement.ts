import { z } from '@hono/zod-openapi'
import type { SignedAcknowledgement } from '../../core/ports/intake.ts'
import { example } from './example.ts'
import { answer } from './fields.ts'

export const acknowledgementSchema = z
  .object({
    paymentDigest: answer.hash('EIP-712 digest of the payment'),
    orderHash: answer.hash('Full hash of the order; zero without one'),
    fee: z.string().meta({ description: 'What the payee gets less, in atomic units', example: '0' }),
    guarantee: z.enum(['optimistic', 'collateralised']).meta({
      description:
        'collateralised: backed by final money in the vault and enforceable on chain after `settleBy` by anyone with the payer’s signature and this. optimistic: may still fail, and is then corrected.',
    }),
    acceptedAt: answer.seconds('When ICE accepted'),
    settleBy: answer.seconds('When it is settled at the latest'),
    proof: z.array(z.string()).meta({ description: 'Merkle path from this acknowledgement to `root`', example: [] }),
    root: answer.hash('Merkle root that ICE signed'),
    rootSignature: z
      .string()
      .meta({ description: '65 bytes by `key.key` over AcknowledgementRoot', example: example.signature }),
    key: z
      .object({
        relayerId: z.int().meta({ description: 'Relayer the key speaks for', example: 1 }),
        key: answer.address('Short-lived key that signs roots', example.payer),
        notBefore: answer.seconds('First second the key is good for'),
        notAfter: answer.seconds('Last second the key is good for'),
        authority: answer.address('Who certified the key; the vault lists it', example.payee),
        signature: z
          .string()
          .meta({ description: '65 bytes by `authority` over AcknowledgementKey', example: example.signature }),
      })
      .meta({ description: 'The certificate of the key' }),
  })
  .meta({ id: 'Acknowledgement', description: 'ICE’s signed promise: all that `settleOverdue` asks for.' })

export type AcknowledgementJson = z.output<typeof acknowledgementSchema>

export function showAcknowledgement(a: SignedAcknowledgement): AcknowledgementJson {
  return {
    paymentDigest: a.paymentDigest,
    orderHash: a.orderHash,
    fee: `${a.fee}`,
    guarantee: a.guarantee,
    acceptedAt: `${a.acceptedAt}`,
    settleBy: `${a.settleBy}`,
    proof: [...a.proof],
    root: a.root,
    rootSignature: a.rootSignature,
    key: {
      relayerId: a.key.relayerId,
      key: a.key.key,
      notBefore: `${a.key.notBefore}`,
      notAfter: `${a.key.notAfter}`,
      authority: a.key.authority,
      signature: a.key.signature,
    },
  }
}
