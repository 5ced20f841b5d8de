import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decideAttempt,
  type Fees,
  firstBid,
  freeSlots,
  type LaneLimits,
  type Market,
  nextAccountNonce,
  occupancy,
  replacementBid,
} from '../../core/lane.ts'

const limits: LaneLimits = {
  inFlightMax: 4,
  maxFeePerGasWeiMax: 500n * 10n ** 9n,
  replaceAfterMillis: 30_000,
  resendAfterMillis: 10_000,
  balanceWeiMin: 1_000n,
}
const uncapped: LaneLimits = { ...limits, maxFeePerGasWeiMax: 2n ** 200n }
const market: Market = { baseFeePerGasWei: 10n ** 9n, priorityFeePerGasWei: 10n ** 8n }

const wei = fc.bigInt(0n, 10n ** 13n)
const anyMarket = fc.record({ baseFeePerGasWei: wei, priorityFeePerGasWei: wei })
const anyFees = fc
  .tuple(wei, wei)
  .map(([a, b]): Fees => ({ maxFeePerGasWei: a > b ? a : b, maxPriorityFeePerGasWei: a > b ? b : a }))

/** @see EIP-1559: a full block raises the base fee by an eighth, at least by one wei. */
function afterFullBlocks(baseFee: bigint, blocks: number): bigint {
  let fee = baseFee
  for (let block = 0; block < blocks; block++) fee += fee / 8n > 0n ? fee / 8n : 1n
  return fee
}
const isRaised = (before: bigint, after: bigint): boolean => after * 8n >= before * 9n && after > before

describe('the first bid', () => {
  test('still pays base fee and tip after five full blocks, but not after seven', () => {
    const bid = firstBid(market, limits) as Fees
    const { priorityFeePerGasWei: tip, baseFeePerGasWei: base } = market
    expect(bid.maxFeePerGasWei >= afterFullBlocks(base, 5) + tip).toBe(true)
    expect(bid.maxFeePerGasWei < afterFullBlocks(base, 7) + tip).toBe(true)
  })

  test('survives five full blocks in every market of 7 wei and more', () => {
    fc.assert(
      fc.property(fc.bigInt(7n, 10n ** 13n), wei, (baseFeePerGasWei, priorityFeePerGasWei) => {
        const bid = firstBid({ baseFeePerGasWei, priorityFeePerGasWei }, uncapped) as Fees
        expect(bid.maxFeePerGasWei >= afterFullBlocks(baseFeePerGasWei, 5) + priorityFeePerGasWei).toBe(true)
      }),
    )
  })

  test('goes up to the cap, and waits when the market is one wei above it', () => {
    const cap = market.baseFeePerGasWei + market.priorityFeePerGasWei
    expect(firstBid(market, { ...limits, maxFeePerGasWeiMax: cap })).toEqual({
      maxFeePerGasWei: cap,
      maxPriorityFeePerGasWei: market.priorityFeePerGasWei,
    })
    expect(firstBid(market, { ...limits, maxFeePerGasWeiMax: cap - 1n })).toBe('over_cap')
  })

  test('is a legal pair: the tip is never above the fee, the fee never above the cap', () => {
    fc.assert(
      fc.property(anyMarket, wei, (any, maxFeePerGasWeiMax) => {
        const bid = firstBid(any, { ...limits, maxFeePerGasWeiMax })
        if (bid === 'over_cap') return
        expect(bid.maxPriorityFeePerGasWei <= bid.maxFeePerGasWei).toBe(true)
        expect(bid.maxFeePerGasWei <= maxFeePerGasWeiMax).toBe(true)
      }),
    )
  })
})

describe('a replacement', () => {
  test('raises both fields by at least 12.5 %, stays a legal pair and under the cap', () => {
    fc.assert(
      fc.property(anyFees, anyMarket, wei, (previous, any, maxFeePerGasWeiMax) => {
        const bid = replacementBid(previous, any, { ...limits, maxFeePerGasWeiMax })
        if (bid === 'over_cap') return
        expect(isRaised(previous.maxFeePerGasWei, bid.maxFeePerGasWei)).toBe(true)
        expect(isRaised(previous.maxPriorityFeePerGasWei, bid.maxPriorityFeePerGasWei)).toBe(true)
        expect(bid.maxPriorityFeePerGasWei <= bid.maxFeePerGasWei).toBe(true)
        expect(bid.maxFeePerGasWei <= maxFeePerGasWeiMax).toBe(true)
      }),
      { numRuns: 1_000 },
    )
  })

  test('follows a market that has run ahead of the old bid', () => {
    const spike = { baseFeePerGasWei: 100n * 10n ** 9n, priorityFeePerGasWei: 5n * 10n ** 9n }
    const bid = replacementBid({ maxFeePerGasWei: 2n * 10n ** 9n, maxPriorityFeePerGasWei: 10n ** 8n }, spike, limits)
    expect(bid).toEqual({ maxFeePerGasWei: 205n * 10n ** 9n, maxPriorityFeePerGasWei: 5n * 10n ** 9n })
  })

  test('of 8 wei needs 10: an eighth and one wei', () => {
    const previous = { maxFeePerGasWei: 8n, maxPriorityFeePerGasWei: 8n }
    const still = { baseFeePerGasWei: 0n, priorityFeePerGasWei: 0n }
    expect(replacementBid(previous, still, { ...limits, maxFeePerGasWeiMax: 10n })).toEqual({
      maxFeePerGasWei: 10n,
      maxPriorityFeePerGasWei: 10n,
    })
    expect(replacementBid(previous, still, { ...limits, maxFeePerGasWeiMax: 9n })).toBe('over_cap')
  })
})

describe('what to do with an attempt', () => {
  const sent = {
    state: 'sent' as const,
    ageMillis: 0,
    sinceSendMillis: 0,
    fees: { maxFeePerGasWei: 10n ** 9n, maxPriorityFeePerGasWei: 10n ** 8n },
  }
  const decide = (attempt: Parameters<typeof decideAttempt>[0]['attempt'], cap = limits.maxFeePerGasWeiMax) =>
    decideAttempt({ attempt, market, limits: { ...limits, maxFeePerGasWeiMax: cap } }).action

  test('sign what is prepared, send what is signed', () => {
    expect(decide({ ...sent, state: 'prepared', ageMillis: 10 ** 9, sinceSendMillis: undefined })).toBe('sign')
    expect(decide({ ...sent, state: 'signed', ageMillis: 10 ** 9, sinceSendMillis: undefined })).toBe('send')
  })

  test('wait, send again after 10 s, replace after 30 s, each at the very millisecond', () => {
    const actions = [9_999, 10_000, 29_999, 30_000].map((millis) =>
      decide({ ...sent, ageMillis: millis, sinceSendMillis: millis }),
    )
    expect(actions).toEqual(['wait', 'send', 'send', 'replace'])
  })

  test('over the cap it is sent again as it is, and replaced once the cap allows it', () => {
    const old = { ...sent, ageMillis: 60_000, sinceSendMillis: 10_000 }
    const needed = 10n ** 9n + 125_000_000n + 1n
    expect(decide(old, needed - 1n)).toBe('send')
    expect(decide({ ...old, sinceSendMillis: 9_999 }, needed - 1n)).toBe('wait')
    expect(decide(old, needed)).toBe('replace')
  })
})

describe('account nonces and slots', () => {
  test('the larger of chain and books decides', () => {
    expect(nextAccountNonce({ chainCount: 7, storedMax: undefined })).toBe(7)
    expect(nextAccountNonce({ chainCount: 7, storedMax: 5 })).toBe(7)
    expect(nextAccountNonce({ chainCount: 7, storedMax: 6 })).toBe(7)
    expect(nextAccountNonce({ chainCount: 7, storedMax: 7 })).toBe(8)
  })

  test('a lane fills up to its limit and never goes below none', () => {
    const slots = (inFlight: number, balanceWei = 1_000n) => freeSlots({ inFlight, balanceWei, limits })
    expect([0, 3, 4, 5].map((inFlight) => slots(inFlight))).toEqual([4, 1, 0, 0])
    expect(slots(0, 999n)).toBe(0)
  })

  test('count what each contract has on its way: one that fills the lane leaves the others theirs', () => {
    const [vault, settler] = ['0x01', '0x02'] as const
    expect(occupancy([vault, settler, vault], limits)).toEqual({ full: [], inFlight: 3 })
    expect(occupancy([settler, settler, vault, settler, settler], limits)).toEqual({ full: [settler], inFlight: 1 })
    expect(occupancy([], limits)).toEqual({ full: [], inFlight: 0 })
  })
})
