import type { Address } from 'viem'

/**
 * A lane is (chain, signer): one ordered sequence of account nonces with one writer. This file decides; the submit stage
 * acts. Amounts in wei per gas.
 */
export type Fees = { readonly maxFeePerGasWei: bigint; readonly maxPriorityFeePerGasWei: bigint }
export type Market = { readonly baseFeePerGasWei: bigint; readonly priorityFeePerGasWei: bigint }

export type LaneLimits = {
  /** Batches on their way at once per lane. */
  readonly inFlightMax: number
  /** Never bid above this, in wei per gas. A lane over its cap waits and recovers when fees fall. */
  readonly maxFeePerGasWeiMax: bigint
  /** An attempt that long without inclusion is replaced by a better paid one, in milliseconds. */
  readonly replaceAfterMillis: number
  /** An attempt that a node no longer knows is sent again after this, in milliseconds. */
  readonly resendAfterMillis: number
  /** Below this balance, in wei, the lane allocates nothing. */
  readonly balanceWeiMin: bigint
}

/** First bid: survives five full blocks in a row, each of which raises the base fee by an eighth (EIP-1559): 1.125⁵ < 2. */
export function firstBid(market: Market, limits: LaneLimits): Fees | 'over_cap' {
  const priority = market.priorityFeePerGasWei
  if (market.baseFeePerGasWei + priority > limits.maxFeePerGasWeiMax) return 'over_cap'
  return {
    maxFeePerGasWei: least(2n * market.baseFeePerGasWei + priority, limits.maxFeePerGasWeiMax),
    maxPriorityFeePerGasWei: priority,
  }
}

/** Nodes take a replacement that raises both fields by 10 %, some by 12.5 %: we raise both by an eighth, and one wei. */
export function replacementBid(previous: Fees, market: Market, limits: LaneLimits): Fees | 'over_cap' {
  const priority = most(raisedCeil(previous.maxPriorityFeePerGasWei), market.priorityFeePerGasWei)
  const fee = most(raisedCeil(previous.maxFeePerGasWei), 2n * market.baseFeePerGasWei + priority)
  if (raisedCeil(previous.maxFeePerGasWei) > limits.maxFeePerGasWeiMax) return 'over_cap'
  const capped = least(fee, limits.maxFeePerGasWeiMax)
  return { maxFeePerGasWei: capped, maxPriorityFeePerGasWei: least(priority, capped) }
}

/**
 * The next account nonce: the chain knows what is mined, our stored attempts know what is on its way. The larger of the
 * two is right; a cached counter is never asked.
 */
export function nextAccountNonce({
  chainCount,
  storedMax,
}: {
  chainCount: number
  storedMax: number | undefined
}): number {
  return storedMax === undefined ? chainCount : Math.max(chainCount, storedMax + 1)
}

export type AttemptView = {
  readonly state: 'prepared' | 'signed' | 'sent'
  readonly ageMillis: number
  readonly sinceSendMillis: number | undefined
  readonly fees: Fees
}

export type AttemptAction =
  | { readonly action: 'sign' }
  | { readonly action: 'send' }
  | { readonly action: 'replace'; readonly fees: Fees }
  | { readonly action: 'wait' }

/** A node may have forgotten it, or a reorg has made it unsent. */
export function isSendDue(
  { sinceSendMillis }: { readonly sinceSendMillis: number | undefined },
  { resendAfterMillis }: LaneLimits,
): boolean {
  return sinceSendMillis === undefined || sinceSendMillis >= resendAfterMillis
}

/** What to do with the newest attempt of one account nonce that is not mined yet. */
export function decideAttempt({
  attempt,
  market,
  limits,
}: {
  attempt: AttemptView
  market: Market
  limits: LaneLimits
}): AttemptAction {
  if (attempt.state === 'prepared') return { action: 'sign' }
  if (attempt.state === 'signed' || attempt.sinceSendMillis === undefined) return { action: 'send' }
  if (attempt.ageMillis >= limits.replaceAfterMillis) {
    const fees = replacementBid(attempt.fees, market, limits)
    if (fees !== 'over_cap') return { action: 'replace', fees }
  }
  return isSendDue(attempt, limits) ? { action: 'send' } : { action: 'wait' }
}

/**
 * Contracts that have filled the lane by themselves, and what the others have on their way: one whose blocks cannot be
 * read now, so that nothing of it is seen to be included, holds up no other.
 */
export function occupancy(
  vaults: readonly Address[],
  { inFlightMax }: Pick<LaneLimits, 'inFlightMax'>,
): { readonly full: readonly Address[]; readonly inFlight: number } {
  const groups = [...Map.groupBy(vaults, (vault) => vault)]
  const full = groups.filter(([, theirs]) => theirs.length >= inFlightMax).map(([vault]) => vault)
  return { full, inFlight: vaults.filter((vault) => !full.includes(vault)).length }
}

/** How many new batches a lane may take, given what is on its way and what its signer owns. */
export function freeSlots({
  inFlight,
  balanceWei,
  limits,
}: {
  inFlight: number
  balanceWei: bigint
  limits: LaneLimits
}): number {
  return balanceWei < limits.balanceWeiMin ? 0 : Math.max(0, limits.inFlightMax - inFlight)
}

const raisedCeil = (wei: bigint): bigint => wei + (wei + 7n) / 8n + 1n
const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)
const most = (a: bigint, b: bigint): bigint => (a > b ? a : b)
