import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { bytes, newId, uuidOfOwn } from '../../adapters/postgres/codec.ts'
import { createIntents } from '../../adapters/postgres/intents.ts'
import { admitOne, payerWith } from './books.ts'
import { testIntents } from './intents.suite.ts'
import { candidate, chain, holdAbove, nowSeconds } from './payments.ts'
import { postgresBooks } from './postgres-books.ts'

const books = await postgresBooks()
const { database, intents, acknowledger } = books
testIntents('Postgres', books)

const heldPayment = async () => {
  const payment = candidate({ payer: await payerWith(books, 2n * holdAbove), amount: holdAbove + 1n })
  await admitOne(books, payment)
  return payment
}
const decision = (id: string) => ({ id, operatorId: 'desk', note: 'checked' })
const releaseOf = (id: string) => ({ ...decision(id), chain, nowSeconds: nowSeconds() })

test('release and reject write the op-log and void what is rejected', async () => {
  const [released, rejected] = [await heldPayment(), await heldPayment()]
  await intents.release(releaseOf(released.id))
  await intents.reject(decision(rejected.id))
  const log = await sql`
    select app_id, action, subject, note from op_log where subject in (${released.id}, ${rejected.id}) order by action`.execute(
    database,
  )
  expect(log.rows).toEqual([
    { app_id: 'desk', action: 'hold.reject', subject: rejected.id, note: 'checked' },
    { app_id: 'desk', action: 'hold.release', subject: released.id, note: 'checked' },
  ])
  const kinds = async (id: string) =>
    (
      await sql<{
        kind: string
      }>`select kind from ledger_entry where intent_id = ${uuidOfOwn('pi', id)} order by id`.execute(database)
    ).rows
  expect(await kinds(released.id)).toEqual([{ kind: 'pending' }])
  expect(await kinds(rejected.id)).toEqual([{ kind: 'pending' }, { kind: 'voided' }])
  const sums = await sql`
    select account, sum(amount)::text as sum from ledger_posting where intent_id = ${uuidOfOwn('pi', rejected.id)} group by account`.execute(
    database,
  )
  expect(sums.rows.map((row) => (row as { sum: string }).sum)).toEqual(['0', '0'])
})

test('a release whose signing fails leaves the hold as it was', async () => {
  const payment = await heldPayment()
  const broken = { ...acknowledger, signRoot: () => Promise.reject(new Error('the key is locked')) }
  const failing = createIntents({ database, acknowledger: broken, newId })
  await expect(failing.release(releaseOf(payment.id))).rejects.toThrow('the key is locked')
  expect(await intents.find(payment.id)).toMatchObject({ state: 'held', acknowledgement: undefined })
  expect(await intents.release(releaseOf(payment.id))).toMatchObject({ outcome: 'decided' })
})

test.each([
  ['a withdrawal that leaves too little', sql`withdraw_amount = balance - reserved + 1`, 'optimistic'],
  ['a withdrawal that leaves just enough', sql`withdraw_amount = balance - reserved`, 'collateralised'],
  ['an owner who asked for another relayer', sql`is_rebinding = true`, 'optimistic'],
  ['an account bound elsewhere', sql`relayer_id = 8`, 'optimistic'],
])('after %s, a released hold is promised accordingly', async (_name, change, guarantee) => {
  await books.observe({})
  const payment = await heldPayment()
  await sql`update account set ${change} where payer = ${bytes(payment.payment.payer)}`.execute(database)
  await intents.release(releaseOf(payment.id))
  expect(await intents.find(payment.id)).toMatchObject({ acknowledgement: { guarantee } })
})

test('a payment that somebody else settled is neither cancelled nor released', async () => {
  const payment = await heldPayment()
  await sql`
    update intent set outside_tx = ${bytes(payment.digest)}, outside_block = 102 where id = ${uuidOfOwn('pi', payment.id)}`.execute(
    database,
  )
  expect(await intents.cancel({ id: payment.id, reason: 'payer', isConsented: true, cancel: undefined })).toEqual({
    outcome: 'not_cancellable',
    state: 'included',
  })
  expect(await intents.release(releaseOf(payment.id))).toEqual({ outcome: 'not_held', state: 'included' })
  expect(await intents.find(payment.id)).toMatchObject({
    state: 'included',
    settledTx: payment.digest,
    settledBlock: 102n,
  })
})

test('a cancel that is on its way is not replaced by a later signature', async () => {
  const payment = candidate({ payer: await payerWith(books, 100n) })
  await admitOne(books, payment)
  const cancelWith = (deadline: bigint) =>
    intents.cancel({
      id: payment.id,
      reason: 'payer',
      isConsented: true,
      cancel: { signature: `0x${'01'.repeat(64)}`, deadline },
    })
  const deadlines = async () =>
    (
      await sql<{
        deadline: number
      }>`select deadline from cancellation where intent_id = ${uuidOfOwn('pi', payment.id)}`.execute(database)
    ).rows
  await cancelWith(1_000n)
  await cancelWith(2_000n)
  expect(await deadlines()).toEqual([{ deadline: 2_000 }])
  await sql`update cancellation set batch_id = ${uuidOfOwn('sb', newId('sb'))}, batch_index = 0 where intent_id = ${uuidOfOwn('pi', payment.id)}`.execute(
    database,
  )
  await cancelWith(3_000n)
  expect(await deadlines()).toEqual([{ deadline: 2_000 }])
})
