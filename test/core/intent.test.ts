import { describe, expect, test } from 'vitest'
import type { BatchState } from '../../core/batch.ts'
import { type IntentState, intentStates, isDead, isLegalStep, isTerminal, steps, wireState } from '../../core/intent.ts'

const ends = ['finalized', 'rejected', 'failed', 'expired', 'cancelled'] as const

function reachedFrom(state: IntentState, seen = new Set<IntentState>()): ReadonlySet<IntentState> {
  for (const next of steps[state]) {
    if (seen.has(next)) continue
    seen.add(next)
    reachedFrom(next, seen)
  }
  return seen
}

describe('the steps of a payment', () => {
  test('are those between the eleven wire states', () => {
    expect(intentStates.toSorted()).toEqual(
      ['accepted', 'batched', 'cancelling', 'held', 'included', 'submitted', ...ends].toSorted(),
    )
    for (const state of intentStates) for (const next of steps[state]) expect(intentStates).toContain(next)
  })

  test('lead from every open state to an end', () => {
    for (const state of intentStates.filter((each) => !isTerminal(each))) {
      expect([...reachedFrom(state)].some(isTerminal), state).toBe(true)
    }
  })

  test('lead out of no end', () => {
    expect(intentStates.filter(isTerminal).toSorted()).toEqual([...ends].toSorted())
    for (const end of ends) for (const next of intentStates) expect(isLegalStep(end, next)).toBe(false)
  })

  test('never reject or hold what was accepted; only a reorg puts what was held on hold again', () => {
    expect(intentStates.filter((state) => isLegalStep(state, 'rejected'))).toEqual(['held'])
    expect(intentStates.filter((state) => isLegalStep(state, 'held'))).toEqual(['included'])
  })

  test('finalize only what was included', () => {
    expect(intentStates.filter((state) => isLegalStep(state, 'finalized'))).toEqual(['included'])
  })

  test('cancel only through cancelling, where the signature is still alive', () => {
    expect(intentStates.filter((state) => isLegalStep(state, 'cancelled'))).toEqual(['cancelling'])
  })

  test('stay on none', () => {
    for (const state of intentStates) expect(isLegalStep(state, state)).toBe(false)
  })
})

test('a signature lives through the second of its deadline and is dead in the next', () => {
  expect(isDead({ deadline: 100n, blockSeconds: 100n })).toBe(false)
  expect(isDead({ deadline: 100n, blockSeconds: 101n })).toBe(true)
})

describe('the state that everybody sees', () => {
  const own = intentStates.filter((state) => state !== 'submitted' && state !== 'included')
  const seen = (state: (typeof own)[number], batch?: readonly [BatchState, boolean], isSettledOutside = false) =>
    wireState({ state, isSettledOutside, batch: batch && { state: batch[0], isPaid: batch[1] } })

  test('is its own until it is batched, whatever its former batch does', () => {
    for (const state of own.filter((each) => each !== 'batched')) {
      expect(seen(state)).toBe(state)
      expect(seen(state, ['finalized', true])).toBe(state)
    }
  })

  test.each([
    ['batched', false, 'batched'],
    ['submitted', false, 'submitted'],
    ['included', true, 'included'],
    ['included', false, 'submitted'],
    ['reverted', false, 'submitted'],
    ['finalized', true, 'finalized'],
    ['finalized', false, 'submitted'],
    ['dissolved', false, 'submitted'],
  ] as const)('in a batch that is %s, its record paid: %s, is %s', (batch, isPaid, state) => {
    expect(seen('batched', [batch, isPaid])).toBe(state)
  })

  test('is included once somebody else settled it, unless it has ended', () => {
    for (const state of own) {
      expect(seen(state, ['submitted', false], true)).toBe(isTerminal(state) ? state : 'included')
    }
  })
})
