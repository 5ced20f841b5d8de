import { expect, test } from 'vitest'
import { decidePromise } from '../../core/acknowledgement.ts'
import { deadlineAheadSecondsMax, pauseSecondsMax, withdrawDelaySeconds } from '../../core/config.ts'
import { chain, now } from './payments.ts'

const { promise } = chain
const mode = 'independent'
const settleBy = BigInt(now + promise.settleWithinSeconds)
/** Settle-by, a whole pause of two hours, and the margin for a reorg. */
const firm = settleBy + 7_200n + BigInt(promise.reorgMarginSeconds)

const promised = (
  changes: { deadline?: bigint; headAgeSeconds?: number; isPaused?: boolean; finalizedAgeSeconds?: number } = {},
) => {
  const { deadline = firm, headAgeSeconds = 0, finalizedAgeSeconds = 0, isPaused = false } = changes
  return decidePromise({
    deadline,
    nowSeconds: now,
    view: { headAgeSeconds, finalizedAgeSeconds, isPaused },
    promise,
    mode,
  })
}

test('a deadline of exactly settle-by plus pause plus margin is collateralised, a second less is optimistic', () => {
  expect(promised({ deadline: firm })).toEqual({ guarantee: 'collateralised', settleBy })
  expect(promised({ deadline: firm - 1n })).toEqual({ guarantee: 'optimistic', settleBy })
})

test('a head of the greatest age is firm ground, a second older is not', () => {
  expect(promised({ headAgeSeconds: promise.headAgeSecondsMax }).guarantee).toBe('collateralised')
  expect(promised({ headAgeSeconds: promise.headAgeSecondsMax + 1 }).guarantee).toBe('optimistic')
})

test('a final block of the greatest age is firm ground, a second older is not: its balances may have begun to leave', () => {
  expect(promised({ finalizedAgeSeconds: promise.finalizedAgeSecondsMax }).guarantee).toBe('collateralised')
  expect(promised({ finalizedAgeSeconds: promise.finalizedAgeSecondsMax + 1 }).guarantee).toBe('optimistic')
})

test('a chain that was never seen allows no firm promise', () => {
  expect(promised({ headAgeSeconds: Number.POSITIVE_INFINITY }).guarantee).toBe('optimistic')
})

test('a paused vault allows no firm promise', () => {
  expect(promised({ isPaused: true }).guarantee).toBe('optimistic')
})

test('settle-by never lies after the deadline', () => {
  expect(promised({ deadline: settleBy }).settleBy).toBe(settleBy)
  expect(promised({ deadline: settleBy - 1n }).settleBy).toBe(settleBy - 1n)
})

test('the deadline that prepare proposes is firm, with time left to sign', () => {
  const proposed = BigInt(now + promise.prepareSeconds)
  expect(promised({ deadline: proposed }).guarantee).toBe('collateralised')
  expect(proposed - firm).toBeGreaterThan(3_600n)
})

test('a margin of 43,200 s, as for a rotation of the authority, lets no deadline be firm, and the configuration takes it', () => {
  const margin = { ...promise, reorgMarginSeconds: 43_200 }
  const view = { headAgeSeconds: 0, finalizedAgeSeconds: 0, isPaused: false }
  const furthest = BigInt(now + deadlineAheadSecondsMax)
  expect(decidePromise({ deadline: furthest, nowSeconds: now, view, promise: margin, mode }).guarantee).toBe(
    'optimistic',
  )
  const sum = margin.settleWithinSeconds + pauseSecondsMax + margin.reorgMarginSeconds + margin.finalizedAgeSecondsMax
  expect(sum).toBeLessThan(withdrawDelaySeconds)
})
