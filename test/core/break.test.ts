import { describe, expect, test } from 'vitest'
import { type Difference, deltaOf, listedDifferences } from '../../core/break.ts'
import { dollar, longDollar } from './payments.ts'

const difference = (fields: Partial<Difference> = {}): Difference => ({
  ...{ kind: 'payout', subject: '0xaa', token: dollar, expected: '5', actual: '6' },
  ...fields,
})

describe('how far the two sides are apart', () => {
  test('is a number when both are', () => {
    expect(deltaOf(difference({ expected: '100', actual: '93' }))).toBe('-7')
    expect(deltaOf(difference({ expected: `${2n ** 255n}`, actual: `${2n ** 255n + 1n}` }))).toBe('1')
  })

  test('is both in words when one is missing or is no number', () => {
    expect(deltaOf(difference({ expected: undefined }))).toBe('nothing ≠ 6')
    expect(deltaOf(difference({ actual: '5 from vault' }))).toBe('5 ≠ 5 from vault')
  })
})

describe('the list of differences', () => {
  test('tells those of one kind, subject and token together, and no others', () => {
    const all = [
      difference(),
      difference({ expected: undefined, actual: '7' }),
      difference({ token: longDollar }),
      difference({ kind: 'posted' }),
    ]
    expect(listedDifferences(all, { countMax: 3, subject: 'range' })).toEqual([
      difference({ actual: '6; 7' }),
      difference({ token: longDollar }),
      difference({ kind: 'posted' }),
    ])
  })

  test('ends with how many there were when there is one too many', () => {
    const all = [1, 2, 3].map((number) => difference({ subject: `0x${number}` }))
    expect(listedDifferences(all, { countMax: 2, subject: 'range' })).toEqual([
      ...all.slice(0, 2),
      { kind: 'more', subject: 'range', token: undefined, expected: '2', actual: '3' },
    ])
  })
})
