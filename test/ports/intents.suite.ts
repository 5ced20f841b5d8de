import { toHex } from 'viem'
import { beforeEach, describe, expect, test } from 'vitest'
import { newId } from '../../adapters/postgres/codec.ts'
import type { Candidate } from '../../core/admit.ts'
import { RelayError } from '../../core/errors.ts'
import { merkleFold } from '../../core/protocol/merkle.ts'
import { acknowledgementLeaf } from '../../core/protocol/typed-data.ts'
import { admitOne, type Books, payerWith, verdict } from './books.ts'
import { candidate, chain, holdAbove, nowSeconds, order, otherChain } from './payments.ts'

const accountOf = ({ chain: on, payment, taking: { mode } }: Candidate) => ({
  ...{ chainId: on.chainId, vault: on.vault, mode, ...payment },
})
const operator = { operatorId: 'desk', note: 'called the payer' }
const signedCancel = (deadline = BigInt(nowSeconds() + 600)) => ({
  signature: toHex(new Uint8Array(64).fill(7)),
  deadline,
})

export function testIntents(name: string, books: Books): void {
  const { intents, accounts, orders, observe, batch, include, rival } = books
  beforeEach(() => observe({}))

  const accepted = async (change: Parameters<typeof candidate>[0] = {}) => {
    const payment = candidate({ payer: await payerWith(books, 1_000n), ...change })
    expect(verdict(await admitOne(books, payment))).toBe('accepted')
    return payment
  }
  const held = async (change: Parameters<typeof candidate>[0] = {}) => {
    const payment = candidate({ payer: await payerWith(books, 2n * holdAbove), amount: holdAbove + 1n, ...change })
    expect(verdict(await admitOne(books, payment))).toBe('held')
    return payment
  }
  const releaseOf = ({ id }: Candidate) => ({ id, chain, nowSeconds: nowSeconds(), ...operator })
  const stateOf = async ({ id }: Candidate) => (await intents.find(id))?.state

  describe(`payments in ${name}`, () => {
    test('are found with every field, and the app of their order', async () => {
      const wanted = order({ appId: 'app-shop' })
      await orders.create(wanted)
      const payment = await accepted({ payee: wanted.payee, orderRef: wanted.orderRef })
      expect(await intents.find(payment.id)).toEqual({
        id: payment.id,
        appId: 'app-a',
        chainId: chain.chainId,
        vault: chain.vault,
        payment: payment.payment,
        taking: { mode: 'independent' },
        digest: payment.digest,
        orderId: wanted.id,
        orderAppId: 'app-shop',
        state: 'accepted',
        reason: undefined,
        acknowledgement: expect.objectContaining({ paymentDigest: payment.digest, orderHash: wanted.orderHash }),
        batchId: undefined,
        batchIndex: undefined,
        settledTx: undefined,
        settledBlock: undefined,
        createdAtMillis: expect.any(Number),
      })
    })

    test('are not found under an unknown id, an id of another kind or no id', async () => {
      for (const id of [newId('pi'), newId('po'), 'pi_', '', '💸']) expect(await intents.find(id)).toBeUndefined()
    })

    test('take their state from their batch; one whose record failed is not shown as settled', async () => {
      const [paid, failed] = [await accepted(), await accepted()]
      const { id } = await batch([paid, failed])
      expect(await intents.find(failed.id)).toMatchObject({ state: 'batched', batchId: id, batchIndex: 1 })
      await include(id, '0x01')
      expect(await intents.find(paid.id)).toMatchObject({
        state: 'included',
        settledTx: `0x${'ab'.repeat(32)}`,
        settledBlock: 103n,
      })
      expect(await intents.find(failed.id)).toMatchObject({
        state: 'submitted',
        settledTx: undefined,
        settledBlock: undefined,
      })
    })
  })

  describe(`holds in ${name}`, () => {
    test('are released with a promise of now that proves itself', async () => {
      const payment = await held()
      expect(await intents.release(releaseOf(payment))).toEqual({ outcome: 'decided', state: 'accepted' })
      const found = await intents.find(payment.id)
      expect(found).toMatchObject({
        state: 'accepted',
        reason: undefined,
        acknowledgement: { guarantee: 'collateralised' },
      })
      const promised = found?.acknowledgement
      expect(promised && merkleFold(acknowledgementLeaf(promised), promised.proof)).toBe(promised?.root)
      expect(await accounts.find(accountOf(payment))).toMatchObject({ reserved: holdAbove + 1n, openNonces: [0n] })
      expect((await batch([payment])).outcome).toBe('created')
    })

    test('are released optimistically while the vault is paused', async () => {
      const payment = await held()
      await observe({ isPaused: true })
      await intents.release(releaseOf(payment))
      expect(await intents.find(payment.id)).toMatchObject({ acknowledgement: { guarantee: 'optimistic' } })
    })

    test('are released while their signature lives long enough for a promise, and not a second less', async () => {
      const payment = await held()
      const { deadline } = payment.payment
      const last = Number(deadline) - chain.promise.deadlineSecondsMin
      for (const tooLate of [last + 1, Number(deadline) + 4_900]) {
        expect(await intents.release({ ...releaseOf(payment), nowSeconds: tooLate })).toEqual({
          outcome: 'expired',
          deadline,
        })
      }
      expect(await stateOf(payment)).toBe('held')
      expect(await intents.release({ ...releaseOf(payment), nowSeconds: last })).toMatchObject({ outcome: 'decided' })
    })

    test('are not released on another chain than their own', async () => {
      const payment = await held()
      await expect(intents.release({ ...releaseOf(payment), chain: otherChain })).rejects.toThrow(RangeError)
      expect(await stateOf(payment)).toBe('held')
    })

    test('are rejected: money, nonce and order are free again, the payment is known for ever', async () => {
      const wanted = order({ amount: holdAbove + 1n })
      await orders.create(wanted)
      const payment = await held({ payee: wanted.payee, orderRef: wanted.orderRef })
      expect(await intents.reject({ id: payment.id, ...operator })).toEqual({ outcome: 'decided', state: 'rejected' })
      expect(await intents.find(payment.id)).toMatchObject({ state: 'rejected', acknowledgement: undefined })
      expect(await accounts.find(accountOf(payment))).toMatchObject({ reserved: 0n, openNonces: [] })
      expect(await orders.find(wanted.id)).toMatchObject({ paidBy: undefined })

      expect(await admitOne(books, payment)).toEqual({ outcome: 'known', id: payment.id })
      const afresh = candidate({ ...payment.payment, deadline: payment.payment.deadline + 1n })
      expect(verdict(await admitOne(books, afresh))).toBe('held')
    })

    test('the note of the operator stays with us', async () => {
      const payment = await held()
      await intents.reject({ id: payment.id, ...operator })
      expect((await intents.find(payment.id))?.reason).not.toContain(operator.note)
    })

    test('are decided once, however many operators decide at once', async () => {
      const payment = await held()
      const decisions = await Promise.all(
        Array.from({ length: 12 }, (_, index) =>
          index % 2 ? rival.intents.reject({ id: payment.id, ...operator }) : intents.release(releaseOf(payment)),
        ),
      )
      const decided = decisions.filter(({ outcome }) => outcome === 'decided')
      expect(decided).toHaveLength(1)
      const state = await stateOf(payment)
      expect(decided).toEqual([{ outcome: 'decided', state }])
      expect(decisions.filter(({ outcome }) => outcome === 'not_held')).toHaveLength(11)
      expect(await accounts.find(accountOf(payment))).toMatchObject({
        reserved: state === 'rejected' ? 0n : holdAbove + 1n,
      })
    })

    test('what was accepted, is unknown or is no id is not decided', async () => {
      const payment = await accepted()
      expect(await intents.reject({ id: payment.id, ...operator })).toEqual({ outcome: 'not_held', state: 'accepted' })
      expect(await intents.release(releaseOf(payment))).toEqual({ outcome: 'not_held', state: 'accepted' })
      for (const id of [newId('pi'), 'pi_nonsense']) {
        expect(await intents.reject({ id, ...operator })).toEqual({ outcome: 'not_found' })
        expect(await intents.release({ ...releaseOf(payment), id })).toEqual({ outcome: 'not_found' })
      }
    })
  })

  describe(`cancels in ${name}`, () => {
    test.each([
      ['accepted', accepted],
      ['held', held],
    ] as const)('stop a payment that is %s; its money stays reserved', async (_state, make) => {
      const payment = await make()
      expect(
        await intents.cancel({ id: payment.id, reason: 'payer', isConsented: true, cancel: signedCancel() }),
      ).toEqual({
        outcome: 'cancelling',
      })
      expect(await intents.find(payment.id)).toMatchObject({ state: 'cancelling', reason: 'payer' })
      expect(await accounts.find(accountOf(payment))).toMatchObject({
        reserved: payment.payment.amount,
        openNonces: [0n],
      })
      expect((await batch([payment])).outcome).toBe('raced')
      expect(await intents.release(releaseOf(payment))).toEqual({ outcome: 'not_held', state: 'cancelling' })
    })

    test('come too late for a payment that is batched, and change nothing', async () => {
      const payment = await accepted()
      const { id } = await batch([payment])
      expect(
        await intents.cancel({ id: payment.id, reason: 'payer', isConsented: true, cancel: signedCancel() }),
      ).toEqual({
        outcome: 'not_cancellable',
        state: 'batched',
      })
      await include(id, '0x01')
      expect(await intents.cancel({ id: payment.id, reason: 'payer', isConsented: true, cancel: undefined })).toEqual({
        outcome: 'not_cancellable',
        state: 'included',
      })
    })

    test('racing a batch, one of the two wins', async () => {
      for (let round = 0; round < 20; round++) {
        const payment = await accepted()
        const [cancelled, batched] = await Promise.all([
          rival.intents.cancel({ id: payment.id, reason: 'payer', isConsented: true, cancel: signedCancel() }),
          batch([payment]),
        ])
        const won = await stateOf(payment)
        expect([cancelled.outcome, batched.outcome, won]).toEqual(
          won === 'batched' ? ['not_cancellable', 'created', won] : ['cancelling', 'raced', 'cancelling'],
        )
      }
    })

    test('is not taken for what is promised unless all that takes was checked', async () => {
      const payment = await accepted()
      const request = { id: payment.id, reason: 'payer', isConsented: false, cancel: undefined }
      expect(await intents.cancel(request)).toEqual({ outcome: 'promised' })
      expect(await stateOf(payment)).toBe('accepted')
    })

    test('can be repeated, and can be signed later', async () => {
      const payment = await accepted()
      const request = { id: payment.id, reason: 'payer', isConsented: true }
      for (const cancel of [undefined, undefined, signedCancel(), signedCancel(9_999_999_999n)]) {
        expect(await intents.cancel({ ...request, cancel })).toEqual({ outcome: 'cancelling' })
      }
    })

    test('of an unknown payment are an error', async () => {
      for (const id of [newId('pi'), 'pi_nonsense']) {
        await expect(intents.cancel({ id, reason: 'payer', isConsented: true, cancel: undefined })).rejects.toThrow(
          RelayError,
        )
      }
    })
  })
}
