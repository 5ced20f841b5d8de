import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { createBatching } from '../../adapters/postgres/batching.ts'
import { bytes, uuidOfOwn } from '../../adapters/postgres/codec.ts'
import { createConfirmation } from '../../adapters/postgres/confirmation.ts'
import type { Candidate } from '../../core/admit.ts'
import { batchSteps } from '../../core/batch.ts'
import { steps, wireState } from '../../core/intent.ts'
import { admitOne, payerWith } from './books.ts'
import { candidate, chain, holdAbove } from './payments.ts'
import { postgresBooks } from './postgres-books.ts'

const books = await postgresBooks()
const { database } = books

type Event = {
  readonly sequence: number
  readonly state: string
  readonly tx: string | null
  readonly block: number | null
}
async function eventsOf({ id }: Candidate): Promise<readonly Event[]> {
  const { rows } = await sql<Event>`
    select sequence, state, encode(tx_hash, 'hex') as tx, block_number as block from intent_event
    where intent_id = ${uuidOfOwn('pi', id)} order by sequence`.execute(database)
  return rows
}
const statesOf = async (payment: Candidate) => (await eventsOf(payment)).map(({ state }) => state)

async function accepted(): Promise<Candidate> {
  const payment = candidate({ payer: await payerWith(books, 1_000n) })
  expect(await admitOne(books, payment)).toMatchObject({ outcome: 'accepted' })
  return payment
}
const setBatch = (id: string, state: string) =>
  sql`update batch set state = ${state} where id = ${uuidOfOwn('sb', id)}`.execute(database)
const setOutside = ({ id }: Candidate, block: number | null) =>
  sql`
    update intent set outside_block = ${block}, outside_tx = ${block === null ? null : bytes(`0x${'ee'.repeat(32)}`)}
    where id = ${uuidOfOwn('pi', id)}`.execute(database)

test('the database and the core agree on every state that everybody sees', async () => {
  const own = Object.keys(steps).filter((state) => state !== 'submitted' && state !== 'included')
  const cases = own.flatMap((state) =>
    [null, 7].flatMap((outside) =>
      [undefined, ...Object.keys(batchSteps)].flatMap((batch) =>
        [false, true].map((isPaid) => ({ state, outside, batch: batch ?? null, isPaid })),
      ),
    ),
  )
  const { rows } = await sql<{ wire: string }>`
    select wire_state(state, outside, batch, "isPaid") as wire
    from rows from (jsonb_to_recordset(${JSON.stringify(cases)}::jsonb) as (state text, outside bigint, batch text, "isPaid" boolean))
      with ordinality as r(state, outside, batch, "isPaid", at) order by at`.execute(database)
  const ours = cases.map(({ state, outside, batch, isPaid }) =>
    wireState({
      state: state as Parameters<typeof wireState>[0]['state'],
      isSettledOutside: outside !== null,
      batch: batch === null ? undefined : { state: batch as keyof typeof batchSteps, isPaid },
    }),
  )
  expect(rows.map(({ wire }) => wire)).toEqual(ours)
})

describe('every change of state is an event, numbered per payment without a gap', () => {
  test('from accepted to final, with its place on chain', async () => {
    const payment = await accepted()
    const { id } = await books.batch([payment])
    await setBatch(id, 'submitted')
    await books.include(id, '0x01')
    await setBatch(id, 'finalized')
    const place = { tx: 'ab'.repeat(32), block: 103 }
    expect(await eventsOf(payment)).toEqual([
      { sequence: 1, state: 'accepted', tx: null, block: null },
      { sequence: 2, state: 'batched', tx: null, block: null },
      { sequence: 3, state: 'submitted', tx: null, block: null },
      { sequence: 4, state: 'included', ...place },
      { sequence: 5, state: 'finalized', ...place },
    ])
  })

  test('a payment whose bit is not set is not told to be included', async () => {
    const [paid, refused] = [await accepted(), await accepted()]
    const { id } = await books.batch([paid, refused])
    await setBatch(id, 'submitted')
    await books.include(id, '0x01')
    expect(await statesOf(paid)).toEqual(['accepted', 'batched', 'submitted', 'included'])
    expect(await statesOf(refused)).toEqual(['accepted', 'batched', 'submitted'])
  })

  test('a reorg goes back to submitted, and says so', async () => {
    const payment = await accepted()
    const { id } = await books.batch([payment])
    await setBatch(id, 'submitted')
    await books.include(id, '0x01')
    const confirmation = createConfirmation(database)
    const view = await confirmation.view(chain.chainId, chain.vault)
    if (view === undefined) throw new Error('no view')
    const head = { number: 102n, hash: `0x${'77'.repeat(32)}`, parentHash: `0x${'76'.repeat(32)}`, at: 1n } as const
    const gone = { commonAncestor: 102n, blocks: [], head, included: [], reverted: [], outside: [], isPaused: false }
    expect(await confirmation.apply(chain.chainId, chain.vault, view, gone)).toBe('applied')
    const events = await eventsOf(payment)
    expect(events.map(({ state }) => state)).toEqual(['accepted', 'batched', 'submitted', 'included', 'submitted'])
    expect(events.at(-1)).toMatchObject({ sequence: 5, block: null, tx: null })
  })

  test('settled by somebody else, reorged out and back on its way', async () => {
    const payment = await accepted()
    await setOutside(payment, 9)
    await setOutside(payment, null)
    expect(await statesOf(payment)).toEqual(['accepted', 'included', 'accepted'])
  })

  test('held, and rejected by an operator', async () => {
    const payment = candidate({ payer: await payerWith(books, 2n * holdAbove), amount: holdAbove + 1n })
    await admitOne(books, payment)
    await books.intents.reject({ id: payment.id, operatorId: 'desk', note: undefined })
    expect(await statesOf(payment)).toEqual(['held', 'rejected'])
  })

  test('a change that is not seen from outside makes no event', async () => {
    const payment = await accepted()
    await createBatching(database).refuse([{ id: payment.id, reason: 'nonce_spent', retryAfterMillis: 1 }])
    expect(await statesOf(payment)).toEqual(['accepted'])
  })

  test('what is rolled back was never told', async () => {
    const [free, taken] = [await accepted(), await accepted()]
    await books.batch([taken])
    expect(await books.batch([free, taken])).toMatchObject({ outcome: 'raced' })
    expect(await statesOf(free)).toEqual(['accepted'])
  })
})

test('events are never changed', async () => {
  const payment = await accepted()
  const id = uuidOfOwn('pi', payment.id)
  await expect(
    sql`update intent_event set state = 'finalized' where intent_id = ${id}`.execute(database),
  ).rejects.toThrow('never changed')
  await expect(sql`delete from intent_event where intent_id = ${id}`.execute(database)).rejects.toThrow('never changed')
})

test('the app that owns the payee at that moment is named', async () => {
  const payment = candidate({ payer: await payerWith(books, 1_000n) })
  await sql`
    insert into payee_owner (chain_id, payee, app_id, issued_at, signature)
    values (${chain.chainId}, ${bytes(payment.payment.payee)}, 'app_shop', 1, ${Buffer.alloc(64)})`.execute(database)
  await admitOne(books, payment)
  const { rows } = await sql<{ app_id: string; payee_app_id: string }>`
    select app_id, payee_app_id from intent_event where intent_id = ${uuidOfOwn('pi', payment.id)}`.execute(database)
  expect(rows).toEqual([{ app_id: payment.appId, payee_app_id: 'app_shop' }])
})
