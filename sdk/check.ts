import type { Address, Hex } from 'viem'
import { chainedLink } from '../core/protocol/packed-chained.ts'
import {
  type Signable,
  signableAuthorization,
  signablePayment,
  signablePermit,
  type TokenDomain,
  type TypedDataJson,
} from '../core/protocol/signable.ts'
import { intentDigest, type Mode, modes, type Taking } from '../core/protocol/taking.ts'
import { type Domain, domainOf, domainSeparator, type Payment, zeroOrderRef } from '../core/protocol/typed-data.ts'
import { SigningRefusedError } from './errors.ts'
import { type ChainFacts, chainOf, type Facts, isSameHex, tokenOf } from './facts.ts'
import type { IntentJson, Place, Prepared, Terms } from './intent.ts'

/** No deployment takes a later deadline. */
const deadlineAheadSecondsMax = 12 * 3600

export type Checked = {
  /** Written anew from what was checked. */
  readonly intent: IntentJson
  readonly payment: Payment
  /** Names the payment everywhere; by authorization the wallet signs another one, which contains it. */
  readonly paymentDigest: Hex
  readonly signable: Signable
  readonly permit?: { readonly value: string; readonly nonce: string; readonly deadline: string } & Signable
  /** Where the chained account stands after this payment: what the next one continues. */
  readonly next?: Place
}

/**
 * What the server handed out, held against what the user agreed to and the facts that the caller trusts. What comes out is
 * made here, not there, so nothing that the server wrote is signed but a nonce and a deadline.
 * @param place of a chained account, known without the server: its signature also approves all that `previous` names
 * @throws SigningRefusedError at the first field that says something else; RangeError for terms that the facts do not know
 */
export function checkPrepared(
  { terms, prepared, facts }: { terms: Terms; prepared: Prepared; facts: Facts },
  { nowSeconds, place }: { nowSeconds: number; place?: Place | undefined },
): Checked {
  const { intent } = prepared
  const chain = chainOf(facts, terms.chainId)
  const token = tokenOf(chain, terms.token)
  const mode = modeOf(intent, terms)
  const contract = mode === 'pull' ? chain.pullSettler : chain.vault
  if (contract === null) {
    throw new SigningRefusedError('mode', { expected: 'one that the chain has a contract for', actual: mode })
  }
  expectSame('chainId', intent.chainId, terms.chainId)
  expectHex('contract', intent.contract, contract)
  expectHex('payer', intent.payer, terms.payer)
  expectHex('payee', intent.payee, terms.payee)
  expectHex('token', intent.token, terms.token)
  expectSame('amount', uintOf('amount', intent.amount), terms.amount)
  const orderRef = orderRefOf(terms)
  expectHex('orderRef', intent.orderRef, orderRef)
  const deadline = deadlineOf('deadline', intent.deadline, nowSeconds)

  const { payer, payee, amount } = terms
  const order = { payer, payee, token: terms.token, amount, deadline, orderRef }
  const { nonce, taking } = takingOf(intent, mode, { terms, place })
  const payment: Payment = { ...order, nonce }
  const domain = domainOf({ chainId: terms.chainId, vault: contract })
  const signable = signableOf(prepared.typedData, { domain, payment, taking, isTaken: token.takesAuthorizations })
  expectTypedData('typedData', prepared.typedData, signable.typedData)
  expectHex('digest', prepared.digest, signable.digest)

  const common = { ...order, chainId: terms.chainId, contract, mode, amount: `${amount}`, deadline: `${deadline}` }
  const checked = { payment, signable, paymentDigest: intentDigest(domainSeparator(domain), payment, taking) }
  if (taking.mode === 'independent') {
    return { ...checked, intent: { ...common, nonce: `${nonce}` }, ...noPermit(prepared) }
  }
  if (taking.mode === 'chained') {
    const { previous } = taking
    const next = { sequence: nonce, link: chainedLink(payment, previous, BigInt(token.scale)) }
    return { ...checked, intent: { ...common, sequence: `${nonce}`, previous }, next, ...noPermit(prepared) }
  }
  const pull = { ...checked, intent: { ...common, nonce: `${nonce}`, means: taking.means } }
  if (prepared.permit === null) return pull
  if (taking.means !== 'allowance' || !token.takesPermits) return { ...pull, ...noPermit(prepared) }
  return { ...pull, permit: checkPermit(prepared.permit, { terms, chain, nowSeconds }) }
}

/** @throws RangeError for what no order has: hashed, it could pass for another one */
function orderRefOf({ order }: Terms): Hex {
  if (order === undefined) return zeroOrderRef
  if (/^0x[0-9a-fA-F]{16}$/.test(order.orderRef)) return order.orderRef as Hex
  throw new RangeError(`orderRef ${order.orderRef} is not 8 bytes in hex: take it from createOrder`)
}

function modeOf({ mode, means }: IntentJson, terms: Terms): Mode {
  if (terms.mode !== undefined) expectSame('mode', mode, terms.mode)
  if (!modes.includes(mode)) throw new SigningRefusedError('mode', { expected: modes.join(' or '), actual: mode })
  if (terms.means !== undefined) expectSame('means', means, terms.means)
  return mode
}

function takingOf(
  { nonce, sequence, previous, means }: IntentJson,
  mode: Mode,
  { terms, place }: { terms: Terms; place: Place | undefined },
): { readonly nonce: bigint; readonly taking: Taking } {
  if (mode === 'independent') return { nonce: uintOf('nonce', nonce), taking: { mode } }
  if (mode === 'pull') {
    if (means !== 'allowance' && means !== 'authorization') {
      throw new SigningRefusedError('means', { expected: 'allowance or authorization', actual: means })
    }
    return { nonce: uintOf('nonce', nonce), taking: { mode, means } }
  }
  const known = terms.continues ?? place
  if (known === undefined) throw new SigningRefusedError('previous', { expected: 'a place known', actual: previous })
  expectSame('sequence', uintOf('sequence', sequence), known.sequence + 1n)
  expectHex('previous', `${previous}`, known.link)
  return { nonce: known.sequence + 1n, taking: { mode, previous: known.link } }
}

function signableOf(
  given: TypedDataJson,
  { domain, payment, taking, isTaken }: { domain: Domain; payment: Payment; taking: Taking; isTaken: boolean },
): Signable {
  if (taking.mode !== 'pull' || taking.means === 'allowance') return signablePayment(domain, payment, taking)
  if (!isTaken) throw new SigningRefusedError('means', { expected: 'one that the token takes', actual: taking.means })
  const tokenDomain = tokenDomainOf(given.domain, { chainId: domain.chainId, token: payment.token })
  return signableAuthorization(domain, tokenDomain, payment)
}

function checkPermit(
  permit: NonNullable<Prepared['permit']>,
  { terms, chain, nowSeconds }: { terms: Terms; chain: ChainFacts; nowSeconds: number },
): NonNullable<Checked['permit']> {
  const { chainId, amount, permitValueMax = amount } = terms
  const value = uintOf('permit.value', permit.value)
  if (value < amount || value > permitValueMax) {
    const expected = `${amount} to ${permitValueMax}`
    throw new SigningRefusedError('permit.value', { expected, actual: value })
  }
  const deadline = deadlineOf('permit.deadline', permit.deadline, nowSeconds)
  const nonce = uintOf('permit.nonce', permit.nonce)
  const spender = chain.pullSettler ?? chain.vault
  const tokenDomain = tokenDomainOf(permit.typedData.domain, { chainId, token: terms.token })
  const signable = signablePermit(tokenDomain, { owner: terms.payer, spender, value, nonce, deadline })
  expectTypedData('permit.typedData', permit.typedData, signable.typedData)
  expectHex('permit.digest', permit.digest, signable.digest)
  return { value: `${value}`, nonce: `${nonce}`, deadline: `${deadline}`, ...signable }
}

function noPermit({ permit }: Prepared): object {
  if (permit === null) return {}
  throw new SigningRefusedError('permit', { expected: 'none', actual: `one over ${permit.value}` })
}

/** Unix seconds. @throws SigningRefusedError if it has passed or is further ahead than any deployment takes */
export function deadlineOf(field: string, text: unknown, nowSeconds: number): bigint {
  const deadline = uintOf(field, text)
  const latest = BigInt(nowSeconds + deadlineAheadSecondsMax)
  if (deadline > BigInt(nowSeconds) && deadline <= latest) return deadline
  throw new SigningRefusedError(field, { expected: `${nowSeconds + 1} to ${latest}`, actual: deadline })
}

export function uintOf(field: string, text: unknown): bigint {
  if (typeof text === 'string' && /^(0|[1-9][0-9]{0,77})$/.test(text)) return BigInt(text)
  throw new SigningRefusedError(field, { expected: 'a decimal string', actual: text })
}

function expectSame(field: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new SigningRefusedError(field, { expected, actual })
}

function expectHex(field: string, actual: unknown, expected: Hex): void {
  if (typeof actual !== 'string' || !isSameHex(actual, expected)) {
    throw new SigningRefusedError(field, { expected, actual })
  }
}

/** Key by key, so that the refusal names what differs; more keys than expected differ, too. */
export function expectTypedData(field: string, actual: unknown, expected: unknown): void {
  if (typeof expected !== 'object' || expected === null) {
    const isSame = actual === expected || isHexOf(actual, expected)
    if (!isSame) throw new SigningRefusedError(field, { expected, actual })
    return
  }
  if (typeof actual !== 'object' || actual === null)
    throw new SigningRefusedError(field, { expected: 'fields', actual })
  const [there, here]: Readonly<Record<string, unknown>>[] = [{ ...actual }, { ...expected }]
  for (const key of new Set([...Object.keys(here ?? {}), ...Object.keys(there ?? {})])) {
    expectTypedData(`${field}.${key}`, there?.[key], here?.[key])
  }
}

function isHexOf(actual: unknown, expected: unknown): boolean {
  const isHex = typeof expected === 'string' && expected.startsWith('0x')
  return isHex && typeof actual === 'string' && isSameHex(actual, expected)
}

/** @param given the domain that was handed out: only its name and version are taken from it */
function tokenDomainOf(
  given: TypedDataJson['domain'],
  { chainId, token }: { chainId: number; token: Address },
): TokenDomain {
  return { name: given.name, version: given.version, chainId, verifyingContract: token }
}
