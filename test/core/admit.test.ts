import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { admit, type BookedAccount, type BookedOrder, type Candidate } from '../../core/admit.ts'
import { zeroHash } from '../../core/protocol/typed-data.ts'
import { account, addressOf, books, candidate, chain, dollar, now, payee, payer } from './payments.ts'

const outcomeOf = (candidates: readonly Candidate[], held = books()) =>
  admit(candidates, held, now).map((each) => (each.outcome === 'refused' ? each.code : each.outcome))

const booked = (changes: Partial<BookedAccount['state']>, reserved = 0n, openNonces: readonly bigint[] = []) =>
  books({ booked: { state: { ...account, ...changes }, reserved, openNonces } })

const orderRef = '0x00000000000000aa'
const order: BookedOrder = {
  id: 'po_1',
  appId: 'app_m',
  chainId: chain.chainId,
  payee,
  token: dollar,
  amount: 1_000n,
  reference: 'invoice 7',
  orderHash: `0x${'ab'.repeat(32)}`,
  orderRef,
  expiresAt: BigInt(now),
  paidBy: undefined,
}

describe('money', () => {
  test('takes a payment of exactly the free balance and refuses one unit more', () => {
    expect(outcomeOf([candidate(0, { amount: 10_000n })])).toEqual(['accepted'])
    expect(outcomeOf([candidate(0, { amount: 10_001n })])).toEqual(['insufficient_balance'])
  })

  test('of payments racing for the same money, takes those that fit, in their order', () => {
    const racing = [6_000n, 5_000n, 4_000n, 1n].map((amount, index) => candidate(index, { amount }))
    expect(outcomeOf(racing)).toEqual(['accepted', 'insufficient_balance', 'accepted', 'insufficient_balance'])
  })

  test('never promises more than is free, whatever the set', () => {
    fc.assert(
      fc.property(
        fc.array(fc.bigInt(1n, 6_000n), { maxLength: 60 }),
        fc.bigInt(0n, 12_000n),
        fc.bigInt(0n, 12_000n),
        (amounts, reserved, withdrawAmount) => {
          const candidates = amounts.map((amount, index) => candidate(index, { amount }))
          const outcomes = admit(candidates, booked({ withdrawAmount }, reserved), now)
          const promised = amounts.reduce(
            (sum, amount, index) => (outcomes[index]?.outcome === 'accepted' ? sum + amount : sum),
            0n,
          )
          const free = account.balance - reserved - withdrawAmount
          expect(promised <= (free > 0n ? free : 0n)).toBe(true)
          // And it turns nobody away who would still have fitted at the end.
          for (const [index, amount] of amounts.entries()) {
            if (outcomes[index]?.outcome === 'refused') expect(promised + amount > free).toBe(true)
          }
        },
      ),
    )
  })

  test('tells how much is missing', () => {
    const [refused] = admit([candidate(0, { amount: 10_000n })], booked({ withdrawAmount: 100n }, 1n), now)
    expect(refused).toMatchObject({ fields: { available: '9899', amount: '10000', missing: '101' } })
  })

  test('payers and tokens do not draw on one another', () => {
    const other = addressOf(0xa2)
    expect(outcomeOf([candidate(0, { amount: 10_000n }), candidate(1, { amount: 10_000n, payer: other })])).toEqual([
      'accepted',
      'accepted',
    ])
  })

  test('a held payment keeps its money from those after it', () => {
    const rich = booked({ balance: 500_001n })
    expect(outcomeOf([candidate(0, { amount: 500_001n }), candidate(1, { amount: 1n })], rich)).toEqual([
      'held',
      'insufficient_balance',
    ])
  })
})

describe('holds', () => {
  test('a payment of exactly the threshold goes through, one unit more waits for an operator', () => {
    const rich = booked({ balance: 10n ** 9n })
    expect(outcomeOf([candidate(0, { amount: 500_000n })], rich)).toEqual(['accepted'])
    expect(outcomeOf([candidate(0, { amount: 500_001n })], rich)).toEqual(['held'])
  })
})

describe('twins', () => {
  test('the same digest again from the same app is the first payment', () => {
    const first = candidate(0)
    const [, second] = admit([first, { ...first, id: 'pi_other' }], books(), now)
    expect(second).toEqual({ outcome: 'known', id: 'pi_0' })
  })

  test('from another app it exists, and nothing says whose it is', () => {
    const first = candidate(0)
    const [, second] = admit([first, { ...first, id: 'pi_other', appId: 'app_b' }], books(), now)
    expect(second).toMatchObject({ outcome: 'refused', code: 'intent_exists' })
    expect(JSON.stringify(second)).not.toMatch(/app_a|pi_0/)
  })

  test('a stored digest counts before money, nonce and binding', () => {
    const existing = { id: 'pi_stored', appId: 'app_a' }
    expect(admit([candidate(0, { amount: 10n ** 9n })], books({ existing }), now)).toEqual([
      { outcome: 'known', id: 'pi_stored' },
    ])
  })

  test('a refused payment leaves nothing behind: its digest, nonce and money are free', () => {
    const same = { digest: candidate(0).digest, nonce: 0n }
    expect(outcomeOf([candidate(0, { ...same, amount: 10_001n }), candidate(1, { ...same, amount: 10_000n })])).toEqual(
      ['insufficient_balance', 'accepted'],
    )
  })
})

describe('nonces', () => {
  test('two payments with one nonce: the first has it', () => {
    expect(outcomeOf([candidate(0, { nonce: 5n }), candidate(1, { nonce: 5n })])).toEqual(['accepted', 'nonce_taken'])
  })

  test('the open ones of the books and of the set share one window of 64', () => {
    const held = booked({}, 0n, [0n])
    expect(outcomeOf([candidate(1, { nonce: 63n }), candidate(2, { nonce: 64n })], held)).toEqual([
      'accepted',
      'nonce_out_of_window',
    ])
    expect(outcomeOf([candidate(1, { nonce: 0n })], held)).toEqual(['nonce_taken'])
    expect(outcomeOf([candidate(1, { nonce: 0n })], booked({ nonceWindow: 1n }))).toEqual(['nonce_spent'])
  })
})

describe('accounts', () => {
  test('an unknown, foreign or leaving account is refused', () => {
    expect(outcomeOf([candidate(0)], { ...books(), account: () => undefined })).toEqual(['account_not_bound'])
    expect(outcomeOf([candidate(0)], booked({ relayerId: 2 }))).toEqual(['account_not_bound'])
    expect(outcomeOf([candidate(0)], booked({ relayerId: 0 }))).toEqual(['account_not_bound'])
    expect(outcomeOf([candidate(0)], booked({ isRebinding: true }))).toEqual(['account_not_bound'])
  })
})

describe('orders', () => {
  const paying = (number: number, changes: Parameters<typeof candidate>[1] = {}) =>
    candidate(number, { orderRef, orderId: 'po_1', ...changes })

  test('a payment for an order carries its hash and id into the promise', () => {
    const [accepted] = admit([paying(0)], books({ order }), now)
    expect(accepted).toMatchObject({ outcome: 'accepted', orderId: 'po_1', orderHash: order.orderHash })
  })

  test('a bare payment promises the zero hash and needs no order', () => {
    const [accepted] = admit([candidate(0)], books(), now)
    expect(accepted).toMatchObject({ outcome: 'accepted', orderId: undefined, orderHash: zeroHash })
  })

  test('an order is accepted in its last second and refused in the next', () => {
    expect(outcomeOf([paying(0)], books({ order }))).toEqual(['accepted'])
    const over = { ...order, expiresAt: BigInt(now - 1) }
    expect(outcomeOf([paying(0)], books({ order: over }))).toEqual(['order_expired'])
  })

  test('two payments racing for one order: the first has it', () => {
    expect(outcomeOf([paying(0), paying(1)], books({ order }))).toEqual(['accepted', 'order_paid'])
  })

  test('an unaffordable payment does not claim the order', () => {
    const poor = {
      ...books({ order }),
      account: books({ booked: { state: account, reserved: 0n, openNonces: [] } }).account,
    }
    const broke = booked({ balance: 0n }).account
    const held = {
      ...poor,
      account: (each: Candidate) => (each.payment.payer === payer ? broke(each) : poor.account(each)),
    }
    expect(outcomeOf([paying(0), paying(1, { payer: addressOf(0xa2) })], held)).toEqual([
      'insufficient_balance',
      'accepted',
    ])
  })

  test('an order of another chain is not found here', () => {
    const elsewhere = { ...order, chainId: chain.chainId + 1 }
    expect(outcomeOf([paying(0)], books({ order: elsewhere }))).toEqual(['order_not_found'])
  })

  test('a paid order is not paid again', () => {
    expect(outcomeOf([paying(0)], books({ order: { ...order, paidBy: 'pi_9' } }))).toEqual(['order_paid'])
  })

  test('a reference that nobody registered, and an id without an order, are refused', () => {
    expect(outcomeOf([candidate(0, { orderRef })])).toEqual(['order_not_found'])
    expect(outcomeOf([candidate(0, { orderId: 'po_9' })])).toEqual(['order_not_found'])
  })

  test.each([
    ['payee', { payee: addressOf(0x77) }],
    ['token', { token: addressOf(0x78) }],
    ['amount', { amount: 999n }],
    ['amount', { amount: 1_001n }],
    ['orderRef', { orderRef: '0x00000000000000ab' }],
  ] as const)('a payment whose %s differs from the order is refused with both values', (field, changes) => {
    const [refused] = admit([paying(0, changes)], books({ order }), now)
    expect(refused).toMatchObject({ code: 'order_mismatch', fields: { field, actual: `${Object.values(changes)[0]}` } })
  })

  test('an order named by id is not paid by a signature that leaves it out', () => {
    expect(outcomeOf([candidate(0, { orderId: 'po_1' })], books({ order }))).toEqual(['order_mismatch'])
  })
})

test('an empty set is decided at once', () => {
  expect(admit([], books(), now)).toEqual([])
})
