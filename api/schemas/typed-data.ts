import { z } from '@hono/zod-openapi'
import { domainFields } from '../../core/protocol/signable.ts'
import { types } from '../../core/protocol/typed-data.ts'
import { example } from './example.ts'

export const typedDataSchema = z
  .object({
    types: z.record(z.string(), z.array(z.object({ name: z.string(), type: z.string() }))).meta({
      example: { EIP712Domain: [...domainFields], Payment: [...types.Payment] },
    }),
    primaryType: z.string().meta({ example: 'Payment' }),
    domain: z.object({
      name: z.string().meta({ example: 'ICESettlement' }),
      version: z.string().meta({ example: '1' }),
      chainId: z.int().meta({ example: example.chainId }),
      verifyingContract: z.string().meta({ example: example.vault }),
    }),
    message: z.record(z.string(), z.string()).meta({
      description: 'Every uint256 is a decimal string',
      example: { payer: example.payer, amount: example.amount },
    }),
  })
  .meta({ id: 'TypedData', description: 'Complete EIP-712 JSON, ready for eth_signTypedData_v4.' })
