import type { Address, Hex } from 'viem'
import { intentDigest, type Taking } from '../core/protocol/taking.ts'
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
} from '../core/protocol/typed-data.ts'
import type { TypedDataJson } from './intent.ts'

/** Something to sign, made here from checked values, and the digest that comes out of it. */
export type Signable = { readonly typedData: TypedDataJson; readonly digest: Hex }

/** A token's own EIP-712 domain. */
export type TokenDomain = Omit<Domain, 'name' | 'version'> & Readonly<Record<'name' | 'version', string>>

const domainFields = [
  { name: 'name', type: 'string' },
  { name: 'version', type: 'string' },
  { name: 'chainId', type: 'uint256' },
  { name: 'verifyingContract', type: 'address' },
] as const

/** Out of the vault, or by allowance out of the wallet. @param domain of the contract that settles */
export function signablePayment(domain: Domain, payment: Payment, taking: Taking): Signable {
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

export function signablePermit(tokenDomain: TokenDomain, permit: Permit): Signable {
  const { owner, spender, value, nonce, deadline } = permit
  const message = { owner, spender, value: `${value}`, nonce: `${nonce}`, deadline: `${deadline}` }
  return {
    typedData: typedData(tokenDomain, 'Permit', message),
    digest: permitDigest(domainSeparator(tokenDomain), permit),
  }
}

export function signableCancel(domain: Domain, cancel: Cancel): Signable {
  const { payer, token, nonce, deadline } = cancel
  return {
    typedData: typedData(domain, 'Cancel', { payer, token, nonce: `${nonce}`, deadline: `${deadline}` }),
    digest: cancelDigest(domainSeparator(domain), cancel),
  }
}

export function signableConsent(domain: Domain, paymentDigest: Hex): Signable {
  return {
    typedData: typedData(domain, 'CancelConsent', { paymentDigest }),
    digest: cancelConsentDigest(domainSeparator(domain), paymentDigest),
  }
}

export function signableOwnership(domain: Domain, ownership: PayeeOwnership): Signable {
  const { payee, app, issuedAt } = ownership
  return {
    typedData: typedData(domain, 'PayeeOwnership', { payee, app, issuedAt: `${issuedAt}` }),
    digest: payeeOwnershipDigest(domainSeparator(domain), ownership),
  }
}

/** @param given the domain that was handed out: only its name and version are taken from it */
export function tokenDomainOf(
  given: TypedDataJson['domain'],
  { chainId, token }: { chainId: number; token: Address },
): TokenDomain {
  return { name: given.name, version: given.version, chainId, verifyingContract: token }
}

function typedData(
  domain: TokenDomain,
  primaryType: keyof typeof types,
  message: Readonly<Record<string, string>>,
): TypedDataJson {
  return {
    types: { EIP712Domain: domainFields, [primaryType]: types[primaryType] },
    primaryType,
    domain,
    message,
  }
}
