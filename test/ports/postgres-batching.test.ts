import { sql } from 'kysely'
import { beforeEach, describe, expect, test } from 'vitest'
import { createBatching } from '../../adapters/postgres/batching.ts'
import { bytes, newId, uuidOfOwn } from '../../adapters/postgres/codec.ts'
import { zeroHash } from '../../core/protocol/typed-data.ts'
import { admitOne, payerWith } from './books.ts'
import { candidate, chain, huge, nowSeconds, usdc } from './payments.ts'
import { postgresBooks } from './postgres-books.ts'

const books = await postgresBooks()
const { database, intents } = books
const batching = createBatching(database)
const { chainId, vault } = chain

const accepted = async (token = usdc.address) => {
  const payment = candidate({ payer: await payerWith(books, 1_000n, { token }), token })
  expect(await admitOne(books, payment)).toMatchObject({ outcome: 'accepted' })
  return payment
}
const cancelled = async () => {
  const payment = await accepted()
  const cancel = { signature: `0x${'07'.repeat(64)}`, deadline: BigInt(nowSeconds() + 600) } as const
  await intents.cancel({ id: payment.id, reason: 'payer', isConsented: true, cancel })
  return payment
}
const change = (id: string, columns: ReturnType<typeof sql>) =>
  sql`update intent set ${columns} where id = ${uuidOfOwn('pi', id)}`.execute(database)
const kind = { token: usdc.address, mode: 'independent' } as const
const due = async () => (await batching.payments(chainId, vault, kind, 100)).map(({ id }) => id)
const dueCancels = async () => (await batching.cancels(chainId, vault, usdc.address, 100)).map(({ id }) => id)
const counts = async (countMax = 1_024) =>
  new Map(
    (await batching.waiting(chainId, vault, countMax)).map((w) => [w.token, [w.paymentCount, w.cancelCount] as const]),
  )

beforeEach(async () => {
  await sql`update intent set state = 'expired'`.execute(database)
})

describe('what waits', () => {
  test('is counted per token, no further than a batch can use', async () => {
    for (let made = 0; made < 3; made++) await accepted()
    await accepted(huge.address)
    await cancelled()
    expect(await counts()).toEqual(
      new Map([
        [usdc.address, [3, 1]],
        [huge.address, [1, 0]],
      ]),
    )
    expect((await counts(2)).get(usdc.address)).toEqual([2, 1])
    expect(await counts(0)).toEqual(new Map())
  })

  test('is nothing when nothing is due', async () => {
    await change((await accepted()).id, sql`retry_at = now() + interval '1 second'`)
    expect(await counts()).toEqual(new Map())
    expect(await due()).toEqual([])
  })

  test.each([
    ['is past its deadline', sql`deadline = extract(epoch from now())::bigint - 1`],
    ['somebody else settled', sql`outside_tx = ${bytes(zeroHash)}, outside_block = 7`],
  ])('has no payment that %s', async (_name, columns) => {
    await change((await accepted()).id, columns)
    const cancel = await cancelled()
    if (_name.startsWith('somebody')) await change(cancel.id, columns)
    const waits = (await counts()).get(usdc.address)
    expect([await due(), waits?.[0] ?? 0]).toEqual([[], 0])
    expect(await dueCancels()).toEqual(_name.startsWith('somebody') ? [] : [cancel.id])
  })

  test('has no cancel past its own deadline: it would close batches for ever', async () => {
    const { id } = await cancelled()
    expect([await dueCancels(), await counts()]).toEqual([[id], new Map([[usdc.address, [0, 1]]])])
    await sql`update cancellation set deadline = 1 where intent_id = ${uuidOfOwn('pi', id)}`.execute(database)
    expect([await dueCancels(), await counts()]).toEqual([[], new Map()])
  })
})

describe('a refused record', () => {
  const delay = async (table: 'intent' | 'cancellation', id: string) => {
    const key = sql.ref(table === 'intent' ? 'id' : 'intent_id')
    const { rows } = await sql<{ millis: number }>`
      select round(extract(epoch from retry_at - now()) * 1000)::bigint as millis
      from ${sql.table(table)} where ${key} = ${uuidOfOwn('pi', id)}`.execute(database)
    return rows[0]?.millis ?? Number.NaN
  }

  test('waits twice as long after each refusal, five minutes at most', async () => {
    const { id } = await accepted()
    const delays: number[] = []
    for (let refusal = 0; refusal < 9; refusal++) {
      await batching.refuse([{ id, reason: 'no_balance', retryAfterMillis: 3_000 }])
      delays.push(Math.ceil((await delay('intent', id)) / 1000))
    }
    expect(delays).toEqual([3, 6, 12, 24, 48, 96, 192, 300, 300])
    await change(id, sql`refusals = 2000000000`)
    await batching.refuse([{ id, reason: 'no_balance', retryAfterMillis: 3_000 }])
    expect(Math.ceil((await delay('intent', id)) / 1000)).toBe(300)
    await batching.refuse([])
  })

  test('queues behind those that wait already', async () => {
    const [first, second] = [await accepted(), await accepted()]
    expect(await due()).toEqual([first.id, second.id])
    await batching.refuse([{ id: first.id, reason: 'no_balance', retryAfterMillis: 0 }])
    expect(await due()).toEqual([second.id, first.id])
  })

  test('that cancels waits as long as it has waited', async () => {
    const { id } = await cancelled()
    const refusedAfter = async (seconds: number) => {
      await sql`
        update cancellation set created_at = now() - ${seconds} * interval '1 second'
        where intent_id = ${uuidOfOwn('pi', id)}`.execute(database)
      await batching.refuseCancels([id])
      return Math.round((await delay('cancellation', id)) / 1000)
    }
    expect([await refusedAfter(0), await refusedAfter(60), await refusedAfter(9_000)]).toEqual([5, 60, 300])
  })
})

test('a batch knows the first and the last id of what it touches', async () => {
  const payments = [await accepted(), await accepted(), await cancelled()] as const
  const id = newId('sb')
  const [first, second, third] = payments.map((payment) => payment.id)
  expect(
    await batching.create({
      id,
      chainId,
      vault,
      ...kind,
      anchor: zeroHash,
      opening: { sequence: 0n, head: zeroHash },
      payload: '0x01',
      gasLimit: 1n,
      payments: [second ?? '', first ?? ''].map((id, bit) => ({ id, bit })),
      cancelIds: [third ?? ''],
    }),
  ).toBe('created')
  const { rows } = await sql`select intent_low, intent_high from batch where id = ${uuidOfOwn('sb', id)}`.execute(
    database,
  )
  const uuids = payments.map((payment) => uuidOfOwn('pi', payment.id)).toSorted()
  expect(rows).toEqual([{ intent_low: uuids[0], intent_high: uuids[2] }])
})
