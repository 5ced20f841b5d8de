import { describe, expect, test } from 'vitest'
import { newId } from '../../adapters/postgres/codec.ts'
import { amountMax } from '../../core/money.ts'
import { admitOne, type Books, payerWith } from './books.ts'
import { candidate, order } from './payments.ts'

export function testOrders(name: string, books: Books): void {
  const { orders } = books

  describe(`orders in ${name}`, () => {
    test('keeps every field, and every digit of the largest amount', async () => {
      const stored = order({ amount: amountMax, reference: "INV ✓ '; --" })
      expect(await orders.create(stored)).toBe('stored')
      const found = await orders.find(stored.id)
      expect(found).toEqual({ ...stored, paidBy: undefined, createdAtMillis: expect.any(Number) })
      expect(Math.abs((found?.createdAtMillis ?? 0) - Date.now())).toBeLessThan(60_000)
    })

    test('finds nothing under an unknown id, an id of another kind or no id', async () => {
      for (const id of [newId('po'), newId('pi'), 'po_', '']) expect(await orders.find(id)).toBeUndefined()
    })

    test('stores nothing of an order whose reference collides', async () => {
      const first = order()
      const second = order({ payee: first.payee, orderRef: first.orderRef })
      expect(await orders.create(first)).toBe('stored')
      expect(await orders.create(second)).toBe('collides')
      expect(await orders.find(second.id)).toBeUndefined()
      expect(await orders.create(order({ orderRef: first.orderRef }))).toBe('stored')
    })

    test('stores one of 20 that race for a reference', async () => {
      const { payee, orderRef } = order()
      const outcomes = await Promise.all(Array.from({ length: 20 }, () => orders.create(order({ payee, orderRef }))))
      expect(outcomes.filter((outcome) => outcome === 'stored')).toHaveLength(1)
    })

    test('tells which payment claims it', async () => {
      const wanted = order()
      await orders.create(wanted)
      const payer = await payerWith(books, 1_000n)
      const payment = candidate({ payer, payee: wanted.payee, orderRef: wanted.orderRef })
      expect(await admitOne(books, payment)).toMatchObject({ outcome: 'accepted' })
      expect(await orders.find(wanted.id)).toMatchObject({ paidBy: payment.id })
    })
  })
}
