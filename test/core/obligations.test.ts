import { describe, expect, test } from 'vitest'
import { compareAudit, compareDeliveries, fulfilledAgreements, overdueDifferences } from '../../core/obligations.ts'
import { dollar } from './payments.ts'
import { hashOf } from './reconciliations.ts'

const owed = [
  { intentId: 'pi_1', sequence: 1, endpointId: 'we_a' },
  { intentId: 'pi_1', sequence: 2, endpointId: 'we_a' },
  { intentId: 'pi_1', sequence: 2, endpointId: 'we_b' },
]
const settlements = [
  { txHash: hashOf(1), token: dollar, count: 3, amount: 70n },
  { txHash: hashOf(2), token: dollar, count: 1, amount: 5n },
]

describe('deliveries', () => {
  test('agree when each event has one for each endpoint', () => {
    expect(compareDeliveries({ owed, made: owed.toReversed() })).toEqual([])
  })

  test.each([
    ['is missing for one endpoint', owed.slice(0, 2), 'pi_1/2/we_b', 'a delivery', undefined],
    ['is there twice', [...owed, ...owed.slice(0, 1)], 'pi_1/1/we_a', undefined, 'a delivery'],
    [
      'has no event',
      [...owed, { intentId: 'pi_2', sequence: 1, endpointId: 'we_a' }],
      'pi_2/1/we_a',
      undefined,
      'a delivery',
    ],
  ] as const)('differ when one %s', (_name, made, subject, expected, actual) => {
    expect(compareDeliveries({ owed, made })).toEqual([
      { kind: 'delivery', subject, token: undefined, expected, actual },
    ])
  })
})

describe('audit records', () => {
  const records = settlements.map(({ txHash, count, amount }) => ({ txHash, count, amount }))

  test('agree when each settling tx has one with all it paid', () => {
    expect(compareAudit(settlements, records)).toEqual([])
  })

  test.each([
    ['is missing', records.slice(1), '3 payments over 70', undefined],
    ['is there twice', [...records, ...records.slice(0, 1)], undefined, '3 payments over 70'],
    [
      'lacks a payment',
      [{ ...records[0], count: 2, amount: 60n }, records[1]],
      '3 payments over 70',
      '2 payments over 60',
    ],
    ['tells a unit less', [{ ...records[0], amount: 69n }, records[1]], '3 payments over 70', '3 payments over 69'],
  ] as const)('differ when one %s', (_name, made, expected, actual) => {
    const found = compareAudit(settlements, made as typeof records)
    expect(found).toEqual([{ kind: 'audit', subject: hashOf(1), token: undefined, expected, actual }])
  })
})

test('a break of which nothing is overdue any more is cleared, and no other', () => {
  const overdue = [{ what: 'record', id: 'ar_1' }] as const
  expect(fulfilledAgreements(['ar_1', 'we_1'], overdue)).toEqual([
    { kind: 'obligation', subject: 'we_1', token: undefined, value: 'nothing is overdue' },
  ])
})

describe('what is overdue', () => {
  const difference = { kind: 'obligation', token: undefined, expected: 'fulfilled within 96 hours' }

  test('says what is the matter with it, and no age that would be another one tomorrow', () => {
    const overdue = [
      { what: 'record', id: 'ar_1' },
      { what: 'copy', id: 'ar_2/arweave', state: 'posted' },
      { what: 'endpoint', id: 'we_1', count: 3, isMore: false },
      { what: 'endpoint', id: 'we_2', count: 100, isMore: true },
    ] as const
    expect(overdueDifferences(overdue, 96)).toEqual([
      { ...difference, subject: 'ar_1', actual: 'not built' },
      { ...difference, subject: 'ar_2/arweave', actual: 'posted' },
      { ...difference, subject: 'we_1', actual: '3 deliveries not taken' },
      { ...difference, subject: 'we_2', actual: '100 or more deliveries not taken' },
    ])
  })
})
