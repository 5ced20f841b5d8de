import { hashTypedData, recoverAddress } from 'viem'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Candidate } from '../../core/admit.ts'
import { amountMax } from '../../core/money.ts'
import type { Admitted, SignedAcknowledgement } from '../../core/ports/intake.ts'
import { merkleFold } from '../../core/protocol/merkle.ts'
import { acknowledgementLeaf, domainOf, types, zeroHash } from '../../core/protocol/typed-data.ts'
import { admitOne, type Books, payerWith, verdict } from './books.ts'
import { candidate, chain, freshAddress, holdAbove, huge, nowSeconds, order, otherChain } from './payments.ts'

const accountOf = ({ chain: on, payment, taking: { mode } }: Candidate) => ({
  ...{ chainId: on.chainId, vault: on.vault, mode, ...payment },
})
const tally = (verdicts: readonly (string | undefined)[]) =>
  Object.fromEntries([...Map.groupBy(verdicts, (one) => one)].map(([one, all]) => [one, all.length]))

export function testIntake(name: string, books: Books): void {
  const { intake, intents, accounts, orders, observe, rival } = books
  beforeEach(async () => {
    await observe({})
    await observe({ on: otherChain })
  })

  describe(`intake in ${name}: what passes`, () => {
    test('answers an empty set with nothing, and refuses more than 256 at once', async () => {
      expect(await intake.admit([], nowSeconds())).toEqual([])
      const many = Array.from({ length: 257 }, () => candidate())
      await expect(intake.admit(many, nowSeconds())).rejects.toThrow(RangeError)
    })

    test('the whole balance passes, one unit more does not', async () => {
      const payer = await payerWith(books, 100n)
      expect(await admitOne(books, candidate({ payer, amount: 101n }))).toMatchObject({
        code: 'insufficient_balance',
        fields: { available: '100', amount: '101', missing: '1' },
      })
      expect(verdict(await admitOne(books, candidate({ payer, amount: 100n })))).toBe('accepted')
      expect(verdict(await admitOne(books, candidate({ payer, amount: 1n, nonce: 1n })))).toBe('insufficient_balance')
    })

    test('keeps every digit of the largest amount that can be signed', async () => {
      const payer = await payerWith(books, amountMax, { token: huge.address })
      const payment = candidate({ payer, token: huge.address, amount: amountMax })
      expect(verdict(await admitOne(books, payment))).toBe('accepted')
      expect((await intents.find(payment.id))?.payment).toEqual(payment.payment)
      expect(await accounts.find(accountOf(payment))).toMatchObject({ reserved: amountMax })
    })

    test('one refused payment does not touch the others of its set, and answers keep their order', async () => {
      const payer = await payerWith(books, 250n)
      const set = [
        candidate({ payer }),
        candidate({ payer: freshAddress() }),
        candidate({ payer, nonce: 0n }),
        candidate({ payer, nonce: 1n }),
        candidate({ payer, nonce: 2n }),
      ]
      const verdicts = (await intake.admit(set, nowSeconds())).map(verdict)
      expect(verdicts).toEqual(['accepted', 'account_not_bound', 'nonce_taken', 'accepted', 'insufficient_balance'])
      const found = await Promise.all(set.map(({ id }) => intents.find(id)))
      expect(found.map((intent) => intent?.state)).toEqual(['accepted', undefined, undefined, 'accepted', undefined])
      expect(await accounts.find({ ...accountOf(set[0] ?? candidate()) })).toMatchObject({
        reserved: 200n,
        openNonces: [0n, 1n],
      })
    })

    test('a payment at the limit passes, one above it is held with its money, nonce and no promise', async () => {
      const payer = await payerWith(books, 10n * holdAbove)
      const held = candidate({ payer, amount: holdAbove + 1n, nonce: 1n })
      expect(verdict(await admitOne(books, candidate({ payer, amount: holdAbove })))).toBe('accepted')
      expect(await admitOne(books, held)).toMatchObject({ outcome: 'held', id: held.id })
      expect(await intents.find(held.id)).toMatchObject({ state: 'held', acknowledgement: undefined })
      expect(await accounts.find(accountOf(held))).toMatchObject({
        reserved: 2n * holdAbove + 1n,
        openNonces: [0n, 1n],
      })
    })
  })

  describe(`intake in ${name}: the same again`, () => {
    test('the same payment from the same app is known, also within one set and when it was held', async () => {
      const payment = candidate({ payer: await payerWith(books, 10n * holdAbove), amount: holdAbove + 1n })
      const again = { ...payment, id: candidate().id }
      const set = await intake.admit([payment, again], nowSeconds())
      expect(set.map(verdict)).toEqual(['held', 'known'])
      expect(await admitOne(books, again)).toEqual({ outcome: 'known', id: payment.id })
      expect(await accounts.find(accountOf(payment))).toMatchObject({ reserved: holdAbove + 1n })
    })

    test('the same payment from two apps at once passes once', async () => {
      for (let round = 0; round < 10; round++) {
        const first = candidate({ payer: await payerWith(books, 1_000n) })
        const second = { ...first, id: candidate().id, appId: 'app-b' }
        const both = await Promise.all([admitOne(books, first), admitOne(rival, second)])
        expect(both.map(verdict).sort()).toEqual(['accepted', 'intent_exists'])
        expect(await accounts.find(accountOf(first))).toMatchObject({ reserved: 100n, openNonces: [0n] })
      }
    })
  })

  describe(`intake in ${name}: races`, () => {
    test('of two processes after the same money, exactly the affordable payments pass', async () => {
      for (let round = 0; round < 5; round++) {
        const payer = await payerWith(books, 1_550n)
        const set = (from: bigint) =>
          Array.from({ length: 10 }, (_, n) => candidate({ payer, nonce: from + BigInt(n) }))
        const [here, there] = await Promise.all([
          intake.admit(set(0n), nowSeconds()),
          rival.intake.admit(set(10n), nowSeconds()),
        ])
        expect(tally([...here, ...there].map(verdict))).toEqual({ accepted: 15, insufficient_balance: 5 })
        const account = await accounts.find(accountOf(candidate({ payer })))
        expect(account?.reserved).toBe(1_500n)
        expect(account?.openNonces).toHaveLength(15)
      }
    })

    test('many sets over the same payers in opposite orders all end', async () => {
      const payers = await Promise.all(Array.from({ length: 8 }, () => payerWith(books, 800n)))
      const sets = Array.from({ length: 8 }, (_, nonce) => {
        const set = payers.map((payer) => candidate({ payer, nonce: BigInt(nonce) }))
        return nonce % 2 ? set.reverse() : set
      })
      const answers = await Promise.all(
        sets.map((set, index) => (index % 2 ? rival : books).intake.admit(set, nowSeconds())),
      )
      expect(tally(answers.flat().map(verdict))).toEqual({ accepted: 64 })
    })

    test('one of 20 payments with the same nonce passes', async () => {
      const payer = await payerWith(books, 10_000n)
      const racing = Array.from({ length: 20 }, () => candidate({ payer, nonce: 3n }))
      const answers = await Promise.all(racing.map((one, index) => admitOne(index % 2 ? rival : books, one)))
      expect(tally(answers.map(verdict))).toEqual({ accepted: 1, nonce_taken: 19 })
    })

    test('an order is paid once under 50 parallel sets of 50 payers', async () => {
      const wanted = order()
      await orders.create(wanted)
      const racing = await Promise.all(
        Array.from({ length: 50 }, async () =>
          candidate({ payer: await payerWith(books, 100n), payee: wanted.payee, orderRef: wanted.orderRef }),
        ),
      )
      const answers = await Promise.all(racing.map((one, index) => admitOne(index % 2 ? rival : books, one)))
      expect(tally(answers.map(verdict))).toEqual({ accepted: 1, order_paid: 49 })
      const paid = racing[answers.findIndex(({ outcome }) => outcome === 'accepted')]
      expect(await orders.find(wanted.id)).toMatchObject({ paidBy: paid?.id })
    })
  })

  describe(`intake in ${name}: orders`, () => {
    const payFor = async (wanted: ReturnType<typeof order>, change: Parameters<typeof candidate>[0] = {}) => {
      const payer = await payerWith(books, 1_000n, { on: change.on ?? chain })
      return admitOne(books, candidate({ payer, payee: wanted.payee, orderRef: wanted.orderRef, ...change }))
    }

    test('are found by id or by payee and reference, and promised by their hash', async () => {
      for (const byId of [false, true]) {
        const wanted = order()
        await orders.create(wanted)
        expect(await payFor(wanted, byId ? { orderId: wanted.id } : {})).toMatchObject({
          outcome: 'accepted',
          acknowledgement: { orderHash: wanted.orderHash },
        })
      }
    })

    test('are not found under another payee, an unknown id or on another chain', async () => {
      const wanted = order()
      await orders.create(wanted)
      expect(await payFor(wanted, { payee: freshAddress() })).toMatchObject({ code: 'order_not_found' })
      expect(await payFor(wanted, { orderId: order().id })).toMatchObject({ code: 'order_not_found' })
      expect(await payFor(wanted, { orderId: 'po_nonsense' })).toMatchObject({ code: 'order_not_found' })
      const elsewhere = order({ chainId: otherChain.chainId })
      await orders.create(elsewhere)
      expect(await payFor(elsewhere)).toMatchObject({ code: 'order_not_found' })
    })

    test('are not blocked by dust, nor by a payment that named another reference', async () => {
      const wanted = order()
      await orders.create(wanted)
      expect(await payFor(wanted, { amount: 1n })).toMatchObject({ code: 'order_mismatch' })
      expect(await payFor(wanted, { orderId: wanted.id, orderRef: '0x0000000000000000' })).toMatchObject({
        code: 'order_mismatch',
      })
      expect(verdict(await payFor(wanted))).toBe('accepted')
    })

    test('take a payment in the second they expire and none in the next', async () => {
      const second = nowSeconds() + 50
      const [last, late] = [order({ expiresAt: BigInt(second) }), order({ expiresAt: BigInt(second) })]
      await Promise.all([orders.create(last), orders.create(late)])
      const payment = async (wanted: typeof last) =>
        candidate({ payer: await payerWith(books, 100n), payee: wanted.payee, orderRef: wanted.orderRef })
      expect((await intake.admit([await payment(last)], second)).map(verdict)).toEqual(['accepted'])
      expect((await intake.admit([await payment(late)], second + 1)).map(verdict)).toEqual(['order_expired'])
    })
  })

  describe(`intake in ${name}: promises`, () => {
    test.each([1, 2, 3, 7, 256])('every proof of %i leads to the signed root', async (count) => {
      const set = await Promise.all(
        Array.from({ length: count }, async () => candidate({ payer: await payerWith(books, 100n) })),
      )
      for (const [index, admitted] of (await intake.admit(set, nowSeconds())).entries()) {
        const promised = promiseOf(admitted)
        expect(promised.paymentDigest).toBe(set[index]?.digest)
        expect(merkleFold(acknowledgementLeaf(promised), promised.proof)).toBe(promised.root)
        if (index === count - 1) expect(await signerOf(promised)).toBe(promised.key.key)
      }
    })

    test('each chain of a set has its own root, signed in its own domain', async () => {
      const here = candidate({ payer: await payerWith(books, 100n) })
      const there = candidate({ on: otherChain, payer: await payerWith(books, 100n, { on: otherChain }) })
      const [first, second] = (await intake.admit([here, there], nowSeconds())).map(promiseOf)
      expect(first?.root).not.toBe(second?.root)
      expect(first && (await signerOf(first))).toBe(first?.key.key)
      expect(second && (await signerOf(second, otherChain))).toBe(second?.key.key)
      expect(second && (await signerOf(second, chain))).not.toBe(second?.key.key)
    })

    test('are read back exactly as they were handed out', async () => {
      const set = await Promise.all(
        Array.from({ length: 5 }, async () => candidate({ payer: await payerWith(books, 100n) })),
      )
      const handedOut = (await intake.admit(set, nowSeconds())).map(promiseOf)
      const readBack = await Promise.all(set.map(async ({ id }) => (await intents.find(id))?.acknowledgement))
      expect(readBack).toEqual(handedOut)
      expect(handedOut[0]).toMatchObject({ fee: 0n, orderHash: zeroHash })
    })

    test.each([
      ['a fresh head', {}, 'collateralised'],
      ['a paused vault', { isPaused: true }, 'optimistic'],
      ['an old head', { headAt: -61 }, 'optimistic'],
      ['a head at the limit of its age', { headAt: -60, observedAt: -60 }, 'collateralised'],
      ['a view that nobody refreshed', { observedAt: -61 }, 'optimistic'],
    ] as const)(
      'with %s: %o',
      async (_name, seen: { headAt?: number; observedAt?: number; isPaused?: true }, guarantee) => {
        const now = nowSeconds()
        await observe({
          isPaused: false,
          ...seen,
          headAt: now + (seen.headAt ?? 0),
          observedAt: now + (seen.observedAt ?? 0),
        })
        const [admitted] = await intake.admit([candidate({ payer: await payerWith(books, 100n) })], now)
        expect(admitted).toMatchObject({ outcome: 'accepted', acknowledgement: { guarantee } })
      },
    )
  })
}

function promiseOf(admitted: Admitted): SignedAcknowledgement {
  if (admitted.outcome !== 'accepted') throw new Error(`${verdict(admitted)}, not accepted`)
  return admitted.acknowledgement
}

/** By viem's own EIP-712 hashing, not ours. */
function signerOf({ root, rootSignature }: SignedAcknowledgement, on = chain) {
  const { AcknowledgementRoot } = types
  const typed = { types: { AcknowledgementRoot }, primaryType: 'AcknowledgementRoot', message: { root } } as const
  return recoverAddress({ hash: hashTypedData({ domain: domainOf(on), ...typed }), signature: rootSignature })
}
