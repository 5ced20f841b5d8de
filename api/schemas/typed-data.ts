import { z } from '@hono/zod-openapi'
import type { Hex } from 'viem'
import {
  type Cancel,
  cancelConsentDigest,
  cancelDigest,
  type Domain,
  domainSeparator,
  type PayeeOwnership,
  type Payment,
  payeeOwnershipDigest,
  paymentDigest,
  types,
} from '../../core/protocol/typed-data.ts'
import { example } from './example.ts'

const domainFields = [
  { name: 'name', type: 'string' },
  { name: 'version', type: 'string' },
  { name: 'chainId', type: 'uint256' },
  { name: 'verifyingContract', type: 'address' },
] as const

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

export type TypedDataJson = z.output<typeof typedDataSchema>
/** Something to sign, for people and wallets, and the digest that comes out of it. */
export type Signable = { readonly typedData: TypedDataJson; readonly digest: Hex }

export function signablePayment(domain: Domain, payment: Payment): Signable {
  const { payer, payee, token, amount, nonce, deadline, orderRef } = payment
  return {
    typedData: typedData(domain, 'Payment', {
      payer,
      payee,
      token,
      amount: `${amount}`,
      nonce: `${nonce}`,
      deadline: `${deadline}`,
      orderRef,
    }),
    digest: paymentDigest(domainSeparator(domain), payment),
  }
}

export function signableCancel(domain: Domain, { payer, token, nonce, deadline }: Cancel): Signable {
  return {
    typedData: typedData(domain, 'Cancel', { payer, token, nonce: `${nonce}`, deadline: `${deadline}` }),
    digest: cancelDigest(domainSeparator(domain), { payer, token, nonce, deadline }),
  }
}

export function signableConsent(domain: Domain, digest: Hex): Signable {
  return {
    typedData: typedData(domain, 'CancelConsent', { paymentDigest: digest }),
    digest: cancelConsentDigest(domainSeparator(domain), digest),
  }
}

export function signableOwnership(domain: Domain, { payee, app, issuedAt }: PayeeOwnership): Signable {
  return {
    typedData: typedData(domain, 'PayeeOwnership', { payee, app, issuedAt: `${issuedAt}` }),
    digest: payeeOwnershipDigest(domainSeparator(domain), { payee, app, issuedAt }),
  }
}

function typedData(
  domain: Domain,
  primaryType: 'Payment' | 'Cancel' | 'CancelConsent' | 'PayeeOwnership',
  message: Record<string, string>,
): TypedDataJson {
  return {
    types: { EIP712Domain: [...domainFields], [primaryType]: [...types[primaryType]] },
    primaryType,
    domain: { ...domain },
    message,
  }
}
