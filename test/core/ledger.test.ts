import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  deposit,
  type LedgerEntry,
  payerAccount,
  payout,
  pending,
  posted,
  settled,
  voided,
  withdrawal,
} from '../../core/ledger.ts'
import { modes } from '../../core/protocol/taking.ts'
import { addressOf } from './payments.ts'

const payer = addressOf(1)
const payee = addressOf(2)
const mode = 'independent' as const

/** Balances after the entries of these kinds, debits positive. */
function balances(entries: readonly LedgerEntry[]): Record<string, bigint> {
  const sums: Record<string, bigint> = {}
  for (const { account, amount } of entries.flatMap(({ postings }) => postings)) {
    sums[account] = (sums[account] ?? 0n) + amount
  }
  return sums
}

test('every entry sums to zero, whatever the mode', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 256n - 1n), fc.constantFrom(...modes), (amount, mode) => {
      const moved = { payer, payee, amount, mode }
      for (const { postings } of [
        pending(moved),
        posted(moved),
        voided(moved),
        deposit(moved),
        withdrawal(moved),
        payout(moved),
      ]) {
        expect(postings.reduce((sum, posting) => sum + posting.amount, 0n)).toBe(0n)
        expect(postings).toHaveLength(2)
      }
    }),
  )
})

test('a voided entry undoes its pending one to the last unit', () => {
  const moved = { payer, payee, amount: 7n, mode }
  expect(Object.values(balances([pending(moved), voided(moved)]))).toEqual([0n, 0n])
})

test('after deposit, payment and payout the vault holds and owes what is left', () => {
  const entries = [
    deposit({ payer, amount: 100n, mode }),
    posted({ payer, payee, amount: 30n, mode }),
    payout({ payee, amount: 30n }),
  ]
  expect(balances(entries)).toEqual({ vault: 70n, [`payer:${payer}`]: -70n, [`payee:${payee}`]: 0n })
})

test('a payment that the payee has not received stays owed to the payee', () => {
  expect(balances([deposit({ payer, amount: 100n, mode }), posted({ payer, payee, amount: 30n, mode })])).toEqual({
    vault: 100n,
    [`payer:${payer}`]: -70n,
    [`payee:${payee}`]: -30n,
  })
})

test('a withdrawal takes back what was deposited', () => {
  const entries = [deposit({ payer, amount: 100n, mode }), withdrawal({ payer, amount: 100n, mode })]
  expect(Object.values(balances(entries))).toEqual([0n, 0n])
})

describe('the accounts of one payer', () => {
  test('chained and independent money never meet', () => {
    const entries = [
      deposit({ payer, amount: 100n, mode: 'chained' }),
      deposit({ payer, amount: 10n, mode: 'independent' }),
      ...settled({ payer, payee, amount: 30n, mode: 'chained' }),
    ]
    expect(balances(entries)).toEqual({
      vault: 110n,
      [`chained:${payer}`]: -70n,
      [`payer:${payer}`]: -10n,
      [`payee:${payee}`]: -30n,
    })
    expect(payerAccount(payer, 'chained')).not.toBe(payerAccount(payer, 'independent'))
  })

  test('what is pulled from a wallet comes in and goes on in one: nothing is owed to the payer', () => {
    const pulled = { payer, payee, amount: 30n, mode: 'pull' } as const
    expect(settled(pulled)).toEqual([deposit(pulled), posted(pulled)])
    expect(balances(settled(pulled))).toEqual({ vault: 30n, [`payer:${payer}`]: 0n, [`payee:${payee}`]: -30n })
    expect(balances([...settled(pulled), payout(pulled)])).toEqual({
      ...{ vault: 0n, [`payer:${payer}`]: 0n, [`payee:${payee}`]: 0n },
    })
  })

  test.each(['independent', 'chained'] as const)('a settled %s payment only posts', (mode) => {
    expect(settled({ payer, payee, amount: 30n, mode }).map(({ kind }) => kind)).toEqual(['posted'])
  })

  test.each(modes)('a voided %s payment leaves nothing of its pending one', (mode) => {
    const moved = { payer, payee, amount: 7n, mode }
    expect(balances([pending(moved), voided(moved)])).toEqual({
      [payerAccount(payer, mode)]: 0n,
      [`payee:${payee}`]: 0n,
    })
  })
})
