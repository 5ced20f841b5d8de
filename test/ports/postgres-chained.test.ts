import { beforeEach, describe, expect, test } from 'vitest'
import { createReconciliation } from '../../adapters/postgres/reconciliation.ts'
import { zeroLink } from '../../core/chained.ts'
import { admitOne, verdict } from './books.ts'
import { accountOf, chainedPayer, finalize, linkAfter, refreshed, signedAfter } from './chained.ts'
import { candidate, chain, finalBlock, holdAbove, nowSeconds } from './payments.ts'
import { postgresBooks } from './postgres-books.ts'

const books = await postgresBooks()
const { accounts, intake, intents, rival, database } = books
const reconciliation = createReconciliation(database)
const admitted = async (set: Parameters<typeof intake.admit>[0], by = intake) =>
  (await by.admit(set, nowSeconds())).map(verdict)
const cancel = ({ id }: { id: string }) =>
  intents.cancel({ id, reason: 'payer', isConsented: false, cancel: undefined })
const reserved = async (payer: `0x${string}`) => reconciliation.reservations(chain, [accountOf(payer)])

beforeEach(() => books.observe({}))

describe('chained payments', () => {
  test('pass in their order, over as many sets as it takes', async () => {
    const payer = await chainedPayer(books, 1_000n)
    const all = signedAfter(undefined, [{ payer }, { payer }, { payer }, { payer }])
    expect(await admitted(all.slice(0, 2))).toEqual(['accepted', 'accepted'])
    expect(await admitted(all.slice(3))).toEqual(['previous_mismatch'])
    expect(await admitted(all.slice(2))).toEqual(['accepted', 'accepted'])
    const last = all.at(-1) ?? candidate()
    expect(await accounts.find(accountOf(payer))).toMatchObject({
      ...{ reserved: 400n, openNonces: [1n, 2n, 3n, 4n] },
      tail: { sequence: 4n, link: linkAfter(last), isHeld: false },
    })
  })

  test('are stored with what they sign: sequence and previous link', async () => {
    const payer = await chainedPayer(books, 1_000n)
    const [first, second] = signedAfter(undefined, [{ payer }, { payer }])
    await admitted([first ?? candidate(), second ?? candidate()])
    expect(await intents.find(second?.id ?? '')).toMatchObject({
      payment: { nonce: 2n },
      taking: { mode: 'chained', previous: linkAfter(first ?? candidate()) },
      digest: second?.digest,
      acknowledgement: { guarantee: 'optimistic' },
    })
  })

  test('that race for one sequence in two processes: exactly one has it, every time', async () => {
    for (let round = 0; round < 8; round++) {
      const payer = await chainedPayer(books, 1_000n)
      const [one, other] = [signedAfter(undefined, [{ payer }]), signedAfter(undefined, [{ payer }])]
      const outcomes = await Promise.all([admitted(one), admitted(other, rival.intake)])
      expect(outcomes.flat().toSorted()).toEqual(['accepted', 'previous_mismatch'])
      expect(await reserved(payer)).toMatchObject([{ reserved: 100n, open: 100n }])
    }
  })

  test('follow a payment that another process took a moment ago, or are refused with what to follow', async () => {
    const payer = await chainedPayer(books, 1_000n)
    const [first, second] = signedAfter(undefined, [{ payer }, { payer }])
    const [, told] = await Promise.all([
      rival.intake.admit([first ?? candidate()], nowSeconds()),
      intake.admit([second ?? candidate()], nowSeconds()),
    ])
    if (verdict(told[0]) !== 'accepted') {
      expect(told).toMatchObject([{ fields: { expectedSequence: '1', expectedPrevious: zeroLink } }])
      expect(await admitted([second ?? candidate()])).toEqual(['accepted'])
    }
    expect(await accounts.find(accountOf(payer))).toMatchObject({ tail: { sequence: 2n } })
  })

  test('wait behind a held one until an operator lets it go', async () => {
    const payer = await chainedPayer(books, 3n * holdAbove)
    const [held, next] = signedAfter(undefined, [{ payer, amount: holdAbove + 1n }, { payer }])
    if (held === undefined || next === undefined) throw new Error('two payments')
    expect(await admitted([held])).toEqual(['held'])
    expect(await admitted([next])).toEqual(['previous_held'])
    await intents.release({ ...{ id: held.id, chain, operatorId: 'desk', note: undefined }, nowSeconds: nowSeconds() })
    expect(await admitted([next])).toEqual(['accepted'])
    expect(await intents.find(held.id)).toMatchObject({ acknowledgement: { guarantee: 'optimistic' } })
  })

  test('follow what was rejected as if it had never been', async () => {
    const payer = await chainedPayer(books, 3n * holdAbove)
    const [held] = signedAfter(undefined, [{ payer, amount: holdAbove + 1n }])
    if (held === undefined) throw new Error('a payment')
    await admitted([held])
    await intents.reject({ id: held.id, operatorId: 'desk', note: undefined })
    expect(await admitted(signedAfter(undefined, [{ payer }]))).toEqual(['accepted'])
    expect(await reserved(payer)).toMatchObject([{ reserved: 100n, open: 100n }])
  })
})

describe('a chained payment is cancelled', () => {
  test('only if none follows it: the last first', async () => {
    const payer = await chainedPayer(books, 1_000n)
    const [first, second] = signedAfter(undefined, [{ payer }, { payer }])
    if (first === undefined || second === undefined) throw new Error('two payments')
    await admitted([first, second])
    expect(await cancel(first)).toEqual({ outcome: 'followed' })
    expect((await intents.find(first.id))?.state).toBe('accepted')
    expect(await cancel(second)).toEqual({ outcome: 'cancelling' })
    expect(await cancel(first)).toEqual({ outcome: 'cancelling' })
  })

  test('and its sequence is free at once, while its money stays reserved until it is dead', async () => {
    const payer = await chainedPayer(books, 1_000n)
    const soon = BigInt(nowSeconds() + 3_600)
    const [first, gone] = signedAfter(undefined, [{ payer }, { payer, amount: 300n, deadline: soon }])
    if (first === undefined || gone === undefined) throw new Error('two payments')
    await admitted([first, gone])
    await cancel(gone)
    const [instead, next] = signedAfter(first, [
      { payer, amount: 200n },
      { payer, amount: 50n },
    ])
    if (instead === undefined || next === undefined) throw new Error('two payments')
    expect(instead.payment.nonce).toBe(gone.payment.nonce)
    expect(await admitted([instead, next])).toEqual(['accepted', 'accepted'])
    expect(await reserved(payer)).toMatchObject([{ reserved: 650n, open: 650n }])
    expect(await accounts.find(accountOf(payer))).toMatchObject({ openNonces: [1n, 2n, 3n] })
    expect(await admitted(signedAfter(next, [{ payer, amount: 351n }]))).toEqual(['insufficient_balance'])

    await finalize(books, { number: finalBlock + 1n, at: soon + 1n, accounts: [] })
    expect((await intents.find(gone.id))?.state).toBe('cancelled')
    expect(await reserved(payer)).toMatchObject([{ reserved: 350n, open: 350n }])
    expect(await accounts.find(accountOf(payer))).toMatchObject({ openNonces: [1n, 2n, 3n], tail: { sequence: 3n } })
  })

  test('and dies with the payment that settles in its place', async () => {
    const payer = await chainedPayer(books, 1_000n)
    const [gone] = signedAfter(undefined, [{ payer, amount: 300n }])
    const [instead] = signedAfter(undefined, [{ payer, amount: 200n }])
    if (gone === undefined || instead === undefined) throw new Error('two payments')
    await admitOne(books, gone)
    await cancel(gone)
    expect(await admitted([instead])).toEqual(['accepted'])
    const { id } = await books.batch([instead])
    await books.include(id, '0x01')
    const settled = refreshed(payer, 800n, 1n, linkAfter(instead))
    await finalize(books, { number: finalBlock + 10n, at: BigInt(nowSeconds()), accounts: [settled] })
    expect((await intents.find(gone.id))?.state).toBe('cancelled')
    expect((await intents.find(instead.id))?.state).toBe('finalized')
    expect(await reserved(payer)).toMatchObject([{ reserved: 0n, open: 0n }])
    expect(await accounts.find(accountOf(payer))).toMatchObject({
      state: { topNonce: 1n, head: linkAfter(instead) },
      openNonces: [],
    })
    expect(await admitted(signedAfter(instead, [{ payer }]))).toEqual(['accepted'])
  })
})
