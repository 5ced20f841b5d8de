import { concat, keccak256, stringToHex } from 'viem'
import { expect, test } from 'vitest'
import { orderHashOf, orderRefOf } from '../../core/order.ts'

const order = { id: 'po_01', salt: `0x${'3c'.repeat(16)}`, reference: 'Rechnung Nº 7' } as const

test('an order hash commits to id, salt and reference in that order', () => {
  expect(orderHashOf(order)).toBe(keccak256(concat([stringToHex(order.id), order.salt, stringToHex(order.reference)])))
})

test('another salt hides the same reference', () => {
  expect(orderHashOf({ ...order, salt: `0x${'3d'.repeat(16)}` })).not.toBe(orderHashOf(order))
})

test('what the payer signs is its first eight bytes', () => {
  const hash = orderHashOf(order)
  expect(orderRefOf(hash)).toBe(hash.slice(0, 18))
})
