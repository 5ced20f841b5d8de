import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BatchLimits, batchSteps, decideClose, paymentCountThatFits } from '../../core/batch.ts'
import { cancelBytes, encodeBatch, payeeBytes, paymentBytes } from '../../core/protocol/packed.ts'
import { encodeChainedBatch } from '../../core/protocol/packed-chained.ts'
import { encodePullBatch, pullHeaderBytes } from '../../core/protocol/packed-pull.ts'
import { addressOf, dollar, payment } from './payments.ts'

const limits: BatchLimits = { paymentCountMax: 500, bytesMax: 120_000, gasMax: 14_000_000n, ageMillisMax: 1_000 }
const decide = (changes: Partial<Omit<Parameters<typeof decideClose>[0], 'limits'>>) =>
  decideClose({ paymentCount: 1, cancelCount: 0, oldestAgeMillis: 0, limits, ...changes })

describe('closing', () => {
  test('waits for company until the oldest is old enough, to the millisecond', () => {
    expect(decide({ oldestAgeMillis: 999 })).toEqual({ outcome: 'wait', millis: 1 })
    expect(decide({ oldestAgeMillis: 1_000 })).toEqual({ outcome: 'close', because: 'age' })
  })

  test('closes when it is full, payments and cancels together', () => {
    expect(decide({ paymentCount: 499 })).toEqual({ outcome: 'wait', millis: 1_000 })
    expect(decide({ paymentCount: 500 })).toEqual({ outcome: 'close', because: 'count' })
    expect(decide({ paymentCount: 499, cancelCount: 1 })).toEqual({ outcome: 'close', because: 'count' })
  })

  test('a cancel never waits', () => {
    expect(decide({ paymentCount: 0, cancelCount: 1 })).toEqual({ outcome: 'close', because: 'age' })
  })
})

describe('what fits', () => {
  test('as many records as fit the bytes behind the longest header, each payment with a payee of its own', () => {
    const room = pullHeaderBytes + 3 * (paymentBytes + payeeBytes)
    expect(paymentCountThatFits({ ...limits, bytesMax: room })).toBe(3)
    expect(paymentCountThatFits({ ...limits, bytesMax: room - 1 })).toBe(2)
  })

  test('never more bytes than the limit, however payments and cancels are mixed', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 200, max: 130_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (bytesMax, mix) => {
          const count = paymentCountThatFits({ ...limits, paymentCountMax: 2_000, bytesMax })
          const payments = Math.round(count * mix)
          const bytes = pullHeaderBytes + payments * (paymentBytes + payeeBytes) + (count - payments) * cancelBytes
          expect(bytes).toBeLessThanOrEqual(bytesMax)
        },
      ),
    )
  })

  test('never more bytes than the limit, in whatever mode they are packed, each payment with a payee of its own', () => {
    const batch = { token: dollar, scale: 1n, anchor: `0x${'0a'.repeat(32)}` } as const
    const signature = `0x${'11'.repeat(64)}` as const
    for (const bytesMax of [1_000, 1_071, 9_999, 120_000]) {
      const count = paymentCountThatFits({ ...limits, paymentCountMax: 2_000, bytesMax })
      const payments = Array.from({ length: count }, (_, at) => ({ ...payment, payee: addressOf(at + 1), signature }))
      const runs = payments.map((each) => ({ payer: each.payer, links: [each], signature }))
      const pulls = { payout: 'netted', permits: [], authorizations: [] } as const
      const packed = [
        encodeBatch({ ...batch, payments, cancels: [] }),
        encodeChainedBatch({ ...batch, runs }),
        encodePullBatch({ ...batch, ...pulls, allowances: payments }),
      ]
      for (const blob of packed) expect((blob.length - 2) / 2).toBeLessThanOrEqual(bytesMax)
      expect(count).toBeGreaterThan(1)
    }
  })

  test('one at least, or nothing would ever settle', () => {
    expect(paymentCountThatFits({ ...limits, bytesMax: 1 })).toBe(1)
  })
})

test('a batch comes to an end from every state, and out of an end leads nothing', () => {
  const reached = (state: keyof typeof batchSteps, seen = new Set<string>()): ReadonlySet<string> => {
    if (seen.has(state)) return seen
    seen.add(state)
    for (const next of batchSteps[state]) reached(next, seen)
    return seen
  }
  for (const state of Object.keys(batchSteps) as (keyof typeof batchSteps)[]) {
    if (state !== 'dissolved') expect(reached(state).has('finalized') || state === 'finalized').toBe(true)
  }
  expect(batchSteps.finalized).toEqual([])
  expect(batchSteps.dissolved).toEqual([])
})
