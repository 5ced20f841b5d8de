import { describe, expect, test } from 'vitest'
import { reconcile } from '../../core/reconcile.ts'
import { type DaySums, type RangeOfDay, reconcileDay } from '../../core/reconcile-day.ts'
import { addressOf, dollar } from './payments.ts'
import { history, type Step } from './reconciliations.ts'

const payment = { payer: 1, payee: 2, amount: 30n }
const morning: readonly Step[] = [
  { what: 'deposit', payer: 1, amount: 100n, token: dollar },
  { what: 'settlement', token: dollar, isOurs: true, isCredited: true, payments: [payment, payment] },
]
const evening: readonly Step[] = [
  { what: 'claim', payee: 2, amount: 60n, token: dollar },
  { what: 'withdrawal', payer: 1, amount: 40n, token: dollar },
]
const ranges: readonly RangeOfDay[] = [
  { fromBlock: 10n, toBlock: 15n, totals: reconcile(history(morning, 0n)).totals },
  { fromBlock: 15n, toBlock: 20n, totals: reconcile(history(evening, 100n)).totals },
]
const sums: DaySums = {
  token: dollar,
  ...{ deposits: 100n, withdrawals: 40n, posted: 60n, postedCount: 2, payouts: 60n, finalized: 60n, finalizedCount: 2 },
}
const facts = { day: '2026-11-23', tokens: [dollar], formerToBlock: 10n, ranges, sums: [sums], reservations: [] }

describe('a day', () => {
  test('that is as its ranges saw it has no difference; flows add up, and what stands is that of its end', () => {
    const { differences, totals } = reconcileDay(facts)
    expect(differences).toEqual([])
    expect(totals).toMatchObject([
      {
        chain: {
          deposits: 100n,
          settled: 60n,
          settledCount: 2,
          credited: 60n,
          claimed: 60n,
          withdrawals: 40n,
          held: 0n,
        },
        ledger: { posted: 60n, payouts: 60n, vault: 0n },
      },
    ])
  })

  test.each(['deposits', 'withdrawals', 'posted', 'payouts', 'finalized'] as const)(
    'whose %s are one unit more than they were is told',
    (name) => {
      const changed = { ...sums, [name]: sums[name] + 1n }
      expect(reconcileDay({ ...facts, sums: [changed] }).differences).toEqual([
        {
          kind: 'changed',
          subject: `2026-11-23 ${name}`,
          token: dollar,
          expected: `${sums[name]}`,
          actual: `${sums[name] + 1n}`,
        },
      ])
    },
  )

  test('of which the ledger has lost everything is told', () => {
    expect(reconcileDay({ ...facts, sums: [] }).differences).toHaveLength(7)
  })

  test('with a block between two ranges is told', () => {
    const [first, second] = ranges
    if (first === undefined || second === undefined) throw new Error('a day of two ranges')
    const torn = [first, { ...second, fromBlock: 16n }]
    expect(reconcileDay({ ...facts, ranges: torn }).differences).toEqual([
      { kind: 'gap', subject: '2026-11-23 after block 15', token: undefined, expected: '15', actual: '16' },
    ])
  })

  test.each([
    ['9', 9n],
    ['11', 11n],
  ])('whose first range does not begin where the day before ended, at block %s, is told', (before, formerToBlock) => {
    expect(reconcileDay({ ...facts, formerToBlock }).differences).toEqual([
      { kind: 'gap', subject: `2026-11-23 after block ${before}`, token: undefined, expected: before, actual: '10' },
    ])
  })

  test('that is the first has no day before to follow', () => {
    expect(reconcileDay({ ...facts, formerToBlock: undefined }).differences).toEqual([])
  })

  test('compares what accounts reserve, and says which agree', () => {
    const reservation = { payer: addressOf(1), mode: 'independent' as const, token: dollar, reserved: 5n, open: 5n }
    const wrong = { ...reservation, payer: addressOf(2), open: 4n }
    const { differences, agreements } = reconcileDay({ ...facts, reservations: [reservation, wrong] })
    expect(differences).toEqual([
      { kind: 'reservation', subject: addressOf(2), token: dollar, expected: '4', actual: '5' },
    ])
    expect(agreements).toEqual([{ kind: 'reservation', subject: addressOf(1), token: dollar, value: '5' }])
  })
})
