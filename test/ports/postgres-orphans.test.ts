import { sql } from 'kysely'
import { beforeEach, describe, expect, test } from 'vitest'
import { uuidOfOwn } from '../../adapters/postgres/codec.ts'
import { createReconciliation } from '../../adapters/postgres/reconciliation.ts'
import type { Candidate } from '../../core/admit.ts'
import { admitOne, payerWith, verdict } from './books.ts'
import { accountOf, chainedPayer, finalize, linkAfter, refreshed, signedAfter } from './chained.ts'
import { candidate, chain, nowSeconds } from './payments.ts'
import { postgresBooks } from './postgres-books.ts'

const books = await postgresBooks()
const { accounts, intake, intents, database, batch, include } = books
const reconciliation = createReconciliation(database)
const soon = BigInt(nowSeconds() + 3_600)
let block = 200n

/** Three payments of 100 each, of which the first dies an hour from now. */
async function three() {
  const payer = await chainedPayer(books, 1_000n)
  const [first, second, third] = signedAfter(undefined, [{ payer, deadline: soon }, { payer }, { payer }])
  if (first === undefined || second === undefined || third === undefined) throw new Error('three payments')
  const admitted = await intake.admit([first, second, third], nowSeconds())
  expect(admitted.map(verdict)).toEqual(['accepted', 'accepted', 'accepted'])
  return { payer, first, second, third }
}
const told = async (...payments: readonly Candidate[]) => {
  const found = await Promise.all(payments.map(({ id }) => intents.find(id)))
  return found.map((each) => [each?.state, each?.reason])
}
const reserved = async (payer: `0x${string}`) => {
  const [account] = await reconciliation.reservations(chain, [accountOf(payer)])
  expect(account?.reserved).toBe(account?.open)
  return account?.reserved
}
const entriesOf = async ({ id }: Candidate) => {
  const { rows } = await sql<{ kind: string }>`
    select kind from ledger_entry where intent_id = ${uuidOfOwn('pi', id)} order by kind`.execute(database)
  return rows.map(({ kind }) => kind)
}
const step = (at: bigint, all: Parameters<typeof refreshed>[] = []) =>
  finalize(books, { number: block++, at, accounts: all.map((each) => refreshed(...each)) })

/** A step in which the batch that is included in block 103 is not final yet. */
const finalizeBelow = (payer: `0x${string}`) =>
  finalize(books, { number: 102n, at: soon - 10n, accounts: [refreshed(payer, 1_000n, 0n)] })

beforeEach(async () => {
  await sql`update intent set state = 'rejected' where state in ('held', 'accepted', 'cancelling')`.execute(database)
  await books.observe({})
})

describe('when a chained payment dies', () => {
  test('all that follow it are dead too, with the reason, and their money is free', async () => {
    const { payer, first, second, third } = await three()
    await step(soon)
    expect(await told(first, second, third)).toEqual(Array.from({ length: 3 }, () => ['accepted', undefined]))
    await step(soon + 1n)
    expect(await told(first, second, third)).toEqual([
      ['expired', undefined],
      ['failed', 'previous_failed'],
      ['failed', 'previous_failed'],
    ])
    expect(await reserved(payer)).toBe(0n)
    expect(await entriesOf(third)).toEqual(['pending', 'voided'])
    expect(await accounts.find(accountOf(payer))).toMatchObject({ openNonces: [], tail: undefined })
    const again = await intake.admit(signedAfter(undefined, [{ payer, amount: 1_000n }]), nowSeconds())
    expect(again.map(verdict)).toEqual(['accepted'])
  })

  test('other payers and the payer’s other account lose nothing', async () => {
    const [dying, other] = [await three(), await three()]
    const beside = candidate({ payer: await payerWith(books, 100n, { payer: dying.payer }) })
    expect(verdict(await admitOne(books, beside))).toBe('accepted')
    await sql`update intent set deadline = ${soon + 7_200n} where id = ${uuidOfOwn('pi', other.first.id)}`.execute(
      database,
    )
    await step(soon + 1n, [[other.payer, 1_000n, 0n]])
    expect((await told(dying.second))[0]).toEqual(['failed', 'previous_failed'])
    expect(await told(other.first, other.second, beside)).toEqual(
      Array.from({ length: 3 }, () => ['accepted', undefined]),
    )
    expect(await reserved(other.payer)).toBe(300n)
  })

  test('what settled before it stays settled, and what follows the settled goes on', async () => {
    const { payer, first, second, third } = await three()
    const { id } = await batch([first])
    await include(id, '0x01')
    await step(soon + 1n, [[payer, 900n, 1n, linkAfter(first)]])
    expect(await told(first, second, third)).toEqual([
      ['finalized', undefined],
      ['accepted', undefined],
      ['accepted', undefined],
    ])
    expect(await reserved(payer)).toBe(200n)
  })

  test('a predecessor that is on its way has not died: what follows waits', async () => {
    const { payer, first, second, third } = await three()
    const { id } = await batch([first])
    await step(soon - 20n, [[payer, 1_000n, 0n]])
    await include(id, '0x01')
    await finalizeBelow(payer)
    expect(await told(second, third)).toEqual([
      ['accepted', undefined],
      ['accepted', undefined],
    ])
    expect(await reserved(payer)).toBe(300n)
  })

  test('a successor in a batch stays until that batch is final', async () => {
    const { payer, first, second, third } = await three()
    const refused = await batch([first])
    const under = await batch([second])
    await include(refused.id, '0x00')
    await step(soon + 1n, [[payer, 1_000n, 0n]])
    expect(await told(first, second, third)).toEqual([
      ['failed', 'record_refused'],
      ['batched', undefined],
      ['failed', 'previous_failed'],
    ])
    expect(await reserved(payer)).toBe(100n)

    await include(under.id, '0x00')
    await step(soon + 2n, [[payer, 1_000n, 0n]])
    expect(await told(second)).toEqual([['failed', 'previous_failed']])
    expect(await reserved(payer)).toBe(0n)
  })

  test('a successor in a batch that no lane ever took goes with it', async () => {
    const { payer, first, second } = await three()
    const { id } = await batch([second])
    await step(soon + 1n)
    expect(await told(first, second)).toEqual([
      ['expired', undefined],
      ['batched', undefined],
    ])
    await sql`update batch set created_at = now() - interval '6 minutes' where id = ${uuidOfOwn('sb', id)}`.execute(
      database,
    )
    await step(soon + 2n)
    expect(await told(second)).toEqual([['failed', 'previous_failed']])
    expect(await reserved(payer)).toBe(0n)
  })

  test('because another one settled in its place, its successors have nothing to follow', async () => {
    const { payer, first, second, third } = await three()
    await step(soon - 10n, [[payer, 1_000n, 1n, `0x${'aa'.repeat(16)}`]])
    expect((await told(first))[0]).toEqual(['failed', 'nonce_spent'])
    expect(await told(second, third)).toEqual([
      ['failed', 'previous_failed'],
      ['failed', 'previous_failed'],
    ])
    expect(await reserved(payer)).toBe(0n)
  })
})
