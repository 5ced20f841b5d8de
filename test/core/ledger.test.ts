import fc from 'fast-check'
import { expect, test } from 'vitest'
import { deposit, type LedgerEntry, payout, pending, posted, voided, withdrawal } from '../../core/ledger.ts'
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

test('every entry sums to zero', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 256n - 1n), (amount) => {
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
