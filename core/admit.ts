import type { Address, Hex } from 'viem'
import { type AccountState, availableFloor, judgeNonce } from './account.ts'
import { type ChainView, decidePromise, type Promised } from './acknowledgement.ts'
import { linkOf, nextLink, refuseTail, type Tail } from './chained.ts'
import type { ChainConfig, TokenConfig } from './config.ts'
import { type Refusal, refusal } from './errors.ts'
import type { Order } from './order.ts'
import type { CompactSignature } from './protocol/packed.ts'
import type { SignedPermit } from './protocol/packed-pull.ts'
import type { Mode, Taking } from './protocol/taking.ts'
import { type Payment, zeroHash, zeroOrderRef } from './protocol/typed-data.ts'

/** A screened payment with a good signature, on its way into the books. */
export type Candidate = {
  readonly id: string
  readonly appId: string
  readonly chain: ChainConfig
  readonly token: TokenConfig
  readonly payment: Payment
  readonly taking: Taking
  readonly digest: Hex
  readonly signature: CompactSignature
  /** Comes with a pull by allowance, and is sent before it: lets the settler take `value` from then on. */
  readonly permit?: SignedPermit | undefined
  /** The order the client named, if it named one; else the order is looked up by payee and orderRef. */
  readonly orderId: string | undefined
}

/** What the store holds under lock for a set of candidates. */
export type Books = {
  readonly account: (candidate: Candidate) => BookedAccount | undefined
  readonly existing: (digest: Hex) => { readonly id: string; readonly appId: string } | undefined
  readonly order: (candidate: Candidate) => BookedOrder | undefined
  readonly view: (contract: Pick<ChainConfig, 'chainId' | 'vault'>) => ChainView
}
export type BookedAccount = {
  readonly state: AccountState
  /** Sum of what is promised and not final, in atomic units. */
  readonly reserved: bigint
  /** Nonces of open payments. What `prepare` handed out and nobody signed yet is free for its payer. */
  readonly openNonces: readonly bigint[]
  /** Chained accounts only: the last payment that the next one must follow. */
  readonly tail?: Tail | undefined
}
export type BookedOrder = Order & { readonly paidBy: string | undefined }

export type Admission =
  | ({ readonly outcome: 'accepted'; readonly orderId: string | undefined; readonly orderHash: Hex } & Promised)
  | { readonly outcome: 'held'; readonly orderId: string | undefined; readonly reason: string }
  | { readonly outcome: 'known'; readonly id: string }
  | Refusal

/**
 * Decides a set of candidates in their order, each on top of what those before it took: of two payments racing for the
 * same money, nonce or order, exactly the affordable ones pass.
 */
export function admit(candidates: readonly Candidate[], books: Books, nowSeconds: number): readonly Admission[] {
  const taken = {
    reserved: new Map<string, bigint>(),
    nonces: new Map<string, bigint[]>(),
    orders: new Map<string, string>(),
    tails: new Map<string, Tail>(),
  }
  const digests = new Map<Hex, { id: string; appId: string }>()

  return candidates.map((candidate): Admission => {
    const { payment, taking, chain, appId, digest } = candidate
    const twin = books.existing(digest) ?? digests.get(digest)
    if (twin !== undefined) {
      return twin.appId === appId
        ? { outcome: 'known', id: twin.id }
        : refusal('intent_exists', `digest ${digest} is known`, { digest })
    }

    const key = accountId({ ...chain, ...payment, mode: taking.mode })
    const account = books.account(candidate)
    if (account === undefined || account.state.relayerId !== chain.relayerId || account.state.isRebinding) {
      return refuseUnbound({ payer: payment.payer, state: account?.state, relayerId: chain.relayerId })
    }

    const tail = taken.tails.get(key) ?? account.tail
    const openNonces = [...account.openNonces, ...(taken.nonces.get(key) ?? [])]
    const misplaced =
      taking.mode === 'chained'
        ? refuseLink(payment, taking.previous, account.state, tail, nowSeconds)
        : refuseNonce(payment.nonce, account.state, openNonces)
    if (misplaced !== undefined) return misplaced

    const order = judgeOrder(candidate, books.order(candidate), taken.orders, nowSeconds)
    if (order.outcome === 'refused') return order

    const reserved = account.reserved + (taken.reserved.get(key) ?? 0n)
    const short = refuseShort(candidate, account.state, reserved)
    if (short !== undefined) return short

    digests.set(digest, { id: candidate.id, appId })
    taken.reserved.set(key, (taken.reserved.get(key) ?? 0n) + payment.amount)
    taken.nonces.set(key, [...(taken.nonces.get(key) ?? []), payment.nonce])
    const orderId = order.order?.id
    if (orderId !== undefined) taken.orders.set(orderId, candidate.id)

    const isHeld = payment.amount > candidate.token.holdAbove
    if (taking.mode === 'chained') {
      const link = linkOf(payment, taking.previous, candidate.token.scale)
      taken.tails.set(key, { sequence: payment.nonce, link, isHeld, waitsUntil: payment.deadline })
    }
    if (isHeld) {
      return { outcome: 'held', orderId, reason: `above ${candidate.token.holdAbove} ${candidate.token.symbol} units` }
    }
    const promised = decidePromise({
      deadline: payment.deadline,
      nowSeconds,
      view: books.view(chain),
      promise: chain.promise,
      mode: taking.mode,
    })
    return { outcome: 'accepted', orderId, orderHash: order.order?.orderHash ?? zeroHash, ...promised }
  })
}

/** One name for one account. */
export function accountId({
  chainId,
  vault,
  payer,
  token,
  mode,
}: {
  readonly chainId: number
  readonly vault: Address
  readonly payer: Address
  readonly token: Address
  readonly mode: Mode
}): string {
  return `${chainId}:${vault}:${payer}:${token}:${mode}`
}

/** The account is bound to nobody, to another relayer, or is on its way to one. */
export function refuseUnbound({
  payer,
  state,
  relayerId,
}: {
  payer: Address
  state: AccountState | undefined
  relayerId: number
}): Refusal {
  const boundRelayerId = state?.relayerId ?? 0
  const detail = state?.isRebinding
    ? `the owner of ${payer} has asked for another relayer than ${relayerId}`
    : `the account of ${payer} is bound to relayer ${boundRelayerId}, this is ${relayerId}`
  return refusal('account_not_bound', detail, { boundRelayerId, relayerId })
}

/** Money that is short: in the account, in the wallet, or of what the wallet allows. */
function refuseShort(
  { payment, taking, token, permit }: Candidate,
  onChain: AccountState,
  reserved: bigint,
): Refusal | undefined {
  const { amount } = payment
  // A permit replaces the allowance, also by a smaller one: it must cover all that is open.
  const state = permit === undefined ? onChain : { ...onChain, allowance: permit.value }
  const available = availableFloor(state, reserved, taking)
  if (available >= amount) return undefined
  const fields = { available: `${available}`, amount: `${amount}`, missing: `${amount - available}` }
  const isAllowanceShort = availableFloor(state, reserved, { mode: 'independent' }) >= amount
  return isAllowanceShort
    ? refusal(
        'allowance_short',
        `the pull settler may take ${available} of ${amount} ${token.symbol} units from the wallet`,
        fields,
      )
    : refusal('insufficient_balance', `${available} of ${amount} ${token.symbol} units are free`, fields)
}

/** A chained payment continues the account's last one, or it can never settle. */
function refuseLink(
  { nonce }: Payment,
  previous: Hex,
  state: AccountState,
  tail: Tail | undefined,
  nowSeconds: number,
): Refusal | undefined {
  const next = nextLink(state, tail)
  if (nonce === next.sequence && previous === next.previous) {
    return refuseTail(state, tail, nowSeconds)
  }
  return refusal(
    'previous_mismatch',
    `sequence ${nonce} after ${previous} does not continue the account, whose next is ${next.sequence} after ${next.previous}`,
    { sequence: `${nonce}`, previous, expectedSequence: `${next.sequence}`, expectedPrevious: next.previous },
  )
}

function refuseNonce(nonce: bigint, account: AccountState, openNonces: readonly bigint[]): Refusal | undefined {
  const verdict = judgeNonce(account, openNonces, nonce)
  if (verdict === 'ok') return undefined
  const { topNonce } = account
  const fields = { nonce: `${nonce}`, topNonce: `${topNonce}` }
  if (verdict === 'spent')
    return refusal('nonce_spent', `nonce ${nonce} is spent; the highest spent is ${topNonce}`, fields)
  if (verdict === 'taken') return refusal('nonce_taken', `nonce ${nonce} belongs to an open payment`, fields)
  return refusal(
    'nonce_out_of_window',
    `nonce ${nonce} is more than 64 from an open payment or from ${topNonce}`,
    fields,
  )
}

function judgeOrder(
  { payment, orderId, chain }: Candidate,
  order: BookedOrder | undefined,
  taken: ReadonlyMap<string, string>,
  nowSeconds: number,
): { readonly outcome: 'ok'; readonly order: BookedOrder | undefined } | Refusal {
  if (payment.orderRef === zeroOrderRef && orderId === undefined) return { outcome: 'ok', order: undefined }
  if (order === undefined || order.chainId !== chain.chainId) {
    return refusal('order_not_found', `no order of payee ${payment.payee} has the reference ${payment.orderRef}`, {
      orderRef: payment.orderRef,
    })
  }
  const pairs = [
    ['payee', order.payee, payment.payee],
    ['token', order.token, payment.token],
    ['amount', `${order.amount}`, `${payment.amount}`],
    ['orderRef', order.orderRef, payment.orderRef],
  ] as const
  for (const [field, expected, actual] of pairs) {
    if (expected === actual) continue
    return refusal('order_mismatch', `${field} is ${actual}, the order asks for ${expected}`, {
      field,
      expected,
      actual,
    })
  }
  if (order.expiresAt < BigInt(nowSeconds)) {
    return refusal('order_expired', `order ${order.id} expired at ${order.expiresAt}, now is ${nowSeconds}`, {
      expiresAt: `${order.expiresAt}`,
      now: nowSeconds,
    })
  }
  if (order.paidBy !== undefined || taken.has(order.id)) {
    return refusal('order_paid', `order ${order.id} has a payment already`, { order: order.id })
  }
  return { outcome: 'ok', order }
}
