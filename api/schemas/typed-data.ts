import { z } from '@hono/zod-openapi'
import type { Address, Hex } from 'viem'
import { intentDigest, type Taking } from '../../core/protocol/taking.ts'
import {
  authorizationDigest,
  type Cancel,
  cancelConsentDigest,
  cancelDigest,
  type Domain,
  domainSeparator,
  type PayeeOwnership,
  type Payment,
  type Permit,
  payeeOwnershipDigest,
  permitDigest,
  pullAuthorization,
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

/** @param tokenDomain of the token, which alone takes an authorization. @throws RangeError for one without it */
export function signablePayment(
  domain: Domain,
  payment: Payment,
  taking: Taking,
  tokenDomain: TokenDomain | undefined,
): Signable {
  if (taking.mode === 'pull' && taking.means === 'authorization')
    return signableAuthorization(domain, payment, tokenDomain)
  const { payer, payee, token, amount, nonce, deadline, orderRef } = payment
  const terms = { payer, payee, token, amount: `${amount}` }
  const rest = { deadline: `${deadline}`, orderRef }
  const digest = intentDigest(domainSeparator(domain), payment, taking)
  if (taking.mode === 'chained') {
    const message = { ...terms, sequence: `${nonce}`, ...rest, previous: taking.previous }
    return { typedData: typedData(domain, 'ChainedPayment', message), digest }
  }
  const type = taking.mode === 'pull' ? 'PullPayment' : 'Payment'
  return { typedData: typedData(domain, type, { ...terms, nonce: `${nonce}`, ...rest }), digest }
}

/** @see EIP-2612 */
export function signablePermit(tokenDomain: TokenDomain, permit: Permit): Signable {
  const { owner, spender, value, nonce, deadline } = permit
  const message = { owner, spender, value: `${value}`, nonce: `${nonce}`, deadline: `${deadline}` }
  return {
    typedData: typedData(tokenDomain, 'Permit', message),
    digest: permitDigest(domainSeparator(tokenDomain), permit),
  }
}

/** The token's own EIP-712 domain. */
export type TokenDomain = {
  readonly name: string
  readonly version: string
  readonly chainId: number
  readonly verifyingContract: Address
}

function signableAuthorization(domain: Domain, payment: Payment, tokenDomain: TokenDomain | undefined): Signable {
  if (tokenDomain === undefined) throw new RangeError(`${payment.token} takes no authorizations`)
  const authorization = pullAuthorization(domain, payment)
  const { from, to, value, validAfter, validBefore, nonce } = authorization
  const numbers = { value: `${value}`, validAfter: `${validAfter}`, validBefore: `${validBefore}` }
  return {
    typedData: typedData(tokenDomain, 'ReceiveWithAuthorization', { from, to, ...numbers, nonce }),
    digest: authorizationDigest(domainSeparator(tokenDomain), authorization),
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
  domain: Domain | TokenDomain,
  primaryType: keyof typeof types,
  message: Record<string, string>,
): TypedDataJson {
  return {
    types: { EIP712Domain: [...domainFields], [primaryType]: [...types[primaryType]] },
    primaryType,
    domain: { ...domain },
    message,
  }
}
