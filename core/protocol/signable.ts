import type { Address, Hex } from 'viem'
import { intentDigest, type Taking } from './taking.ts'
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
} from './typed-data.ts'

/** Complete EIP-712 JSON, ready for eth_signTypedData_v4: every uint256 is a decimal string. */
export type TypedDataJson = {
  types: Record<string, { name: string; type: string }[]>
  primaryType: string
  domain: { name: string; version: string; chainId: number; verifyingContract: string }
  message: Record<string, string>
}

export const domainFields = [
  { name: 'name', type: 'string' },
  { name: 'version', type: 'string' },
  { name: 'chainId', type: 'uint256' },
  { name: 'verifyingContract', type: 'address' },
] as const

/** Something to sign, for people and wallets, and the digest that comes out of it. */
export type Signable = { readonly typedData: TypedDataJson; readonly digest: Hex }

/** @param tokenDomain of the token, which alone takes an authorization. @throws RangeError for one without it */
export function signablePayment(domain: Domain, payment: Payment, taking: Taking, tokenDomain?: TokenDomain): Signable {
  if (taking.mode === 'pull' && taking.means === 'authorization') {
    if (tokenDomain === undefined) throw new RangeError(`${payment.token} takes no authorizations`)
    return signableAuthorization(domain, tokenDomain, payment)
  }
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

/** The token's own ReceiveWithAuthorization, whose nonce is the digest of the PullPayment: it binds payee, order and deadline. */
export function signableAuthorization(domain: Domain, tokenDomain: TokenDomain, payment: Payment): Signable {
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
