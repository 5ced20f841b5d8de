import fc from 'fast-check'
import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { createBatching } from '../../adapters/postgres/batching.ts'
import { bytes, idOf, uuidOf, uuidOfOwn } from '../../adapters/postgres/codec.ts'
import type { Candidate } from '../../core/admit.ts'
import type { BatchQuery } from '../../core/ports/batches.ts'
import type { IntentQuery } from '../../core/ports/intents.ts'
import type { OrderQuery } from '../../core/ports/orders.ts'
import type { Page, PageRequest } from '../../core/ports/page.ts'
import { admitOne, payerWith } from './books.ts'
import { candidate, chain, freshAddress, holdAbove, nowSeconds, order, otherChain } from './payments.ts'
import { postgresBooks } from './postgres-books.ts'
import { makeOlderDays } from './postgres-days.ts'

const books = await postgresBooks()
const { database, batch, include, orders, intents, batches } = books

const page: PageRequest = { limit: 100, after: undefined, createdFromMillis: undefined, createdToMillis: undefined }
const all: IntentQuery = {
  ...page,
  ...{ visibleTo: undefined, state: undefined, payer: undefined, payee: undefined, token: undefined },
  ...{ chainId: undefined, orderId: undefined, batchId: undefined },
}
const anyBatch: BatchQuery = { ...page, visibleTo: undefined, chainId: undefined, state: undefined }
const ordersOf = (appId: string, change: Partial<OrderQuery> = {}): OrderQuery => ({
  ...{ ...page, appId, payee: undefined, reference: undefined, state: undefined, nowSeconds: nowSeconds() },
  ...change,
})

let apps = 0
const newApp = () => `app-list-${apps++}`

async function accepted(change: Parameters<typeof candidate>[0] = {}): Promise<Candidate> {
  const payment = candidate({ payer: await payerWith(books, 1_000n), ...change })
  expect(await admitOne(books, payment)).toMatchObject({ outcome: 'accepted' })
  return payment
}
const own = (payee: string, appId: string) =>
  sql`
    insert into payee_owner (chain_id, payee, app_id, issued_at, signature)
    values (${chain.chainId}, ${bytes(payee as `0x${string}`)}, ${appId}, 1, ${Buffer.alloc(64)})`.execute(database)
const setBatch = (id: string, state: string) =>
  sql`update batch set state = ${state} where id = ${uuidOfOwn('sb', id)}`.execute(database)

/** All pages of a list, to its end. */
async function walk<Item>(read: (after: string | undefined) => Promise<Page<Item>>): Promise<readonly Item[]> {
  const items: Item[] = []
  let after: string | undefined
  do {
    const found = await read(after)
    items.push(...found.items)
    after = found.next
  } while (after !== undefined)
  return items
}
const idsOf = (found: Page<{ readonly id: string }>) => found.items.map(({ id }) => id)
const newestFirst = (payments: readonly { readonly id: string }[]) =>
  payments
    .map(({ id }) => id)
    .toSorted()
    .toReversed()

describe('payments', () => {
  test('are shown to who submitted them, whose order they pay and who owns their payee; once each, and to no other', async () => {
    const [submits, sells, owns, other] = [newApp(), newApp(), newApp(), newApp()]
    const wanted = order({ appId: sells })
    await orders.create(wanted)
    const forOrder = await accepted({ appId: submits, payee: wanted.payee, orderRef: wanted.orderRef })
    const bare = await accepted({ appId: submits })
    // Proved after the payments were made: they are shown all the same.
    await own(wanted.payee, owns)
    await own(bare.payment.payee, submits)
    const shown = async (visibleTo: string) => idsOf(await intents.list({ ...all, visibleTo }))
    expect(await shown(submits)).toEqual(newestFirst([forOrder, bare]))
    expect(await shown(sells)).toEqual([forOrder.id])
    expect(await shown(owns)).toEqual([forOrder.id])
    expect(await shown(other)).toEqual([])
    expect(await intents.find(forOrder.id)).toMatchObject({ orderAppId: sells, payeeAppId: owns })
    expect(idsOf(await intents.list(all))).toEqual(expect.arrayContaining([forOrder.id, bare.id]))
    const theirs = { ...all, payee: wanted.payee }
    expect(idsOf(await intents.list({ ...theirs, visibleTo: other }))).toEqual([])
    expect(idsOf(await intents.list({ ...theirs, visibleTo: owns }))).toEqual([forOrder.id])
  })

  test('of the same payee on another chain stay hidden from who owns it on this one', async () => {
    const owns = newApp()
    const payee = freshAddress()
    await own(payee, owns)
    await books.observe({ on: otherChain })
    const payer = await payerWith(books, 1_000n, { on: otherChain })
    expect(await admitOne(books, candidate({ on: otherChain, payer, payee }))).toMatchObject({ outcome: 'accepted' })
    const here = await accepted({ payee })
    expect(idsOf(await intents.list({ ...all, visibleTo: owns }))).toEqual([here.id])
    expect((await intents.list({ ...all, payee, chainId: otherChain.chainId })).items).toHaveLength(1)
  })

  test('are found by what everybody sees as their state, also where their batch holds it', async () => {
    const appId = newApp()
    const made = await Promise.all(Array.from({ length: 9 }, () => accepted({ appId })))
    const [free, batched, submitted, paid, unpaid, dissolved, outside] = made as [
      ...[Candidate, Candidate, Candidate, Candidate, Candidate, Candidate, Candidate],
    ]
    const held = candidate({ appId, payer: await payerWith(books, 2n * holdAbove), amount: holdAbove + 1n })
    await admitOne(books, held)
    await batch([batched])
    await setBatch((await batch([submitted])).id, 'submitted')
    await include((await batch([paid, unpaid])).id, '0x01')
    await setBatch((await batch([dissolved])).id, 'dissolved')
    await sql`
      update intent set outside_block = 9, outside_tx = ${bytes(`0x${'ee'.repeat(32)}`)}
      where id = ${uuidOfOwn('pi', outside.id)}`.execute(database)
    const found = async (state: IntentQuery['state']) => idsOf(await intents.list({ ...all, visibleTo: appId, state }))
    expect(await found('held')).toEqual([held.id])
    expect(await found('accepted')).toEqual(newestFirst([free, ...made.slice(7)]))
    expect(await found('batched')).toEqual([batched.id])
    expect(await found('submitted')).toEqual(newestFirst([submitted, unpaid, dissolved]))
    expect(await found('included')).toEqual(newestFirst([paid, outside]))
    expect(await found('finalized')).toEqual([])
    for (const state of ['held', 'accepted', 'batched', 'submitted', 'included'] as const) {
      const { items } = await intents.list({ ...all, visibleTo: appId, state })
      expect(items.map((item) => item.state)).toEqual(items.map(() => state))
    }
  })

  test('are found by payer, payee, token, order and batch, which add up', async () => {
    const appId = newApp()
    const wanted = order()
    await orders.create(wanted)
    const paid = await accepted({ appId, payee: wanted.payee, orderRef: wanted.orderRef })
    const beside = await accepted({ appId, payee: wanted.payee })
    const { id } = await batch([paid, beside])
    const found = async (change: Partial<IntentQuery>) => idsOf(await intents.list({ ...all, ...change }))
    expect(await found({ orderId: wanted.id })).toEqual([paid.id])
    expect(await found({ batchId: id })).toEqual(newestFirst([paid, beside]))
    expect(await found({ batchId: id, orderId: wanted.id })).toEqual([paid.id])
    expect(await found({ payer: beside.payment.payer })).toEqual([beside.id])
    expect(await found({ payee: wanted.payee })).toEqual(newestFirst([paid, beside]))
    expect(await found({ payee: wanted.payee, payer: paid.payment.payer })).toEqual([paid.id])
    expect(await found({ payee: wanted.payee, token: freshAddress() })).toEqual([])
    expect(await found({ payee: wanted.payee, chainId: chain.chainId + 1 })).toEqual([])
    for (const none of [{ orderId: 'po_x' }, { orderId: order().id }, { batchId: 'sb_x' }, { batchId: paid.id }]) {
      expect(await found(none)).toEqual([])
    }
  })

  test('are found from the very millisecond they were stored, and not before that of the end', async () => {
    const appId = newApp()
    const { id } = await accepted({ appId })
    const at = (await intents.find(id))?.createdAtMillis ?? Number.NaN
    const found = async (createdFromMillis: number, createdToMillis: number) =>
      idsOf(await intents.list({ ...all, visibleTo: appId, createdFromMillis, createdToMillis }))
    expect(await found(at, at + 1)).toEqual([id])
    expect(await found(at + 1, at + 1_000)).toEqual([])
    expect(await found(at - 1_000, at)).toEqual([])
    expect(await found(0, 1)).toEqual([])
  })

  test('are each shown once on whatever pages, while more come in between', async () => {
    const appId = newApp()
    const before = await Promise.all(Array.from({ length: 12 }, () => accepted({ appId })))
    const even = before.filter((_, index) => index % 2 === 0)
    const { id } = await batch(even)
    await setBatch(id, 'submitted')
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1 }),
        fc.boolean(),
        async (limits, only) => {
          let turn = 0
          const seen = await walk(async (after) => {
            const limit = limits[turn++ % limits.length] ?? 1
            const found = await intents.list({
              ...all,
              visibleTo: appId,
              limit,
              after,
              state: only ? 'submitted' : undefined,
            })
            expect(found.items.length).toBeLessThanOrEqual(limit)
            if (turn < 3) await accepted({ appId })
            return found
          })
          const ids = seen.map((item) => item.id)
          expect(new Set(ids).size).toBe(ids.length)
          expect(ids).toEqual(ids.toSorted().toReversed())
          expect(ids.filter((one) => before.some((each) => each.id === one))).toEqual(newestFirst(only ? even : before))
        },
      ),
      { numRuns: 15 },
    )
  })

  test('of a full last page have no next page', async () => {
    const appId = newApp()
    for (let count = 0; count < 3; count++) await accepted({ appId })
    expect((await intents.list({ ...all, visibleTo: appId, limit: 3 })).next).toBeUndefined()
    expect((await intents.list({ ...all, visibleTo: appId, limit: 2 })).next).toBeDefined()
  })
})

describe('orders', () => {
  /** Stored a while ago, under an id whose time says only the day, as api/order-id.ts makes them. */
  async function stored(appId: string, ageSeconds: number, change: Parameters<typeof order>[0] = {}) {
    const made = order({ appId, ...change })
    await orders.create(made)
    await sql`
      update payment_order set created_at = now() - ${ageSeconds} * interval '1 second'
      where id = ${uuidOfOwn('po', made.id)}`.execute(database)
    return made
  }

  test('are listed in the order in which they were stored, whatever their ids, on pages of any size', async () => {
    const appId = newApp()
    const made = []
    for (const age of [5, 90, 30, 60, 10, 80, 20]) made.push([age, await stored(appId, age)] as const)
    const expected = made.toSorted(([a], [b]) => a - b).map(([, { id }]) => id)
    for (const limit of [1, 2, 3, 7, 100]) {
      const seen = await walk((after) => orders.list(ordersOf(appId, { limit, after })))
      expect(seen.map(({ id }) => id)).toEqual(expected)
    }
    expect((await orders.list(ordersOf(newApp()))).items).toEqual([])
  })

  test('are found by payee, reference and state', async () => {
    const appId = newApp()
    const open = await stored(appId, 1, { reference: 'INV 7' })
    const over = await stored(appId, 2, { expiresAt: BigInt(nowSeconds() - 1) })
    const paid = await stored(appId, 3)
    const { id } = await accepted({ payee: paid.payee, orderRef: paid.orderRef })
    const found = async (change: Partial<OrderQuery>) => idsOf(await orders.list(ordersOf(appId, change)))
    expect(await found({ state: 'open' })).toEqual([open.id])
    expect(await found({ state: 'expired' })).toEqual([over.id])
    expect(await found({ state: 'claimed' })).toEqual([paid.id])
    expect(await found({ reference: 'INV 7' })).toEqual([open.id])
    expect(await found({ reference: 'INV' })).toEqual([])
    expect(await found({ payee: over.payee })).toEqual([over.id])
    expect((await orders.list(ordersOf(appId, { state: 'claimed' }))).items[0]?.paidBy).toBe(id)
    expect([...(await intents.states([id, 'pi_x', open.id]))]).toEqual([[id, 'accepted']])
  })

  test('expire after the very second that they name', async () => {
    const appId = newApp()
    const now = nowSeconds()
    const { id } = await stored(appId, 1, { expiresAt: BigInt(now) })
    expect(idsOf(await orders.list(ordersOf(appId, { state: 'open', nowSeconds: now })))).toEqual([id])
    expect(idsOf(await orders.list(ordersOf(appId, { state: 'expired', nowSeconds: now + 1 })))).toEqual([id])
  })
})

describe('batches', () => {
  test('are listed for the apps that have or had a payment in them, and no other', async () => {
    const [submits, sells, owns] = [newApp(), newApp(), newApp()]
    const wanted = order({ appId: sells })
    await orders.create(wanted)
    const payee = freshAddress()
    await own(payee, owns)
    const first = await batch([await accepted({ appId: submits, payee: wanted.payee, orderRef: wanted.orderRef })])
    const second = await batch([await accepted({ appId: submits, payee })])
    const shown = async (visibleTo: string) => idsOf(await batches.list({ ...anyBatch, visibleTo }))
    expect(await shown(submits)).toEqual([second.id, first.id])
    expect(await shown(sells)).toEqual([first.id])
    expect(await shown(owns)).toEqual([second.id])
    expect(await shown(newApp())).toEqual([])
    expect(idsOf(await batches.list(anyBatch)).slice(0, 2)).toEqual([second.id, first.id])
    expect(await batches.isVisibleTo(second.id, owns)).toBe(true)
    expect(await batches.isVisibleTo(first.id, owns)).toBe(false)

    const late = newApp()
    await own(wanted.payee, late)
    expect(await batches.isVisibleTo(first.id, late)).toBe(true)
  })

  test('that were raced are no app’s', async () => {
    const appId = newApp()
    const [free, taken] = [await accepted({ appId }), await accepted()]
    await batch([taken])
    expect(await batch([free, taken])).toMatchObject({ outcome: 'raced' })
    expect((await batches.list({ ...anyBatch, visibleTo: appId })).items).toEqual([])
  })

  test('are found by chain and state, on pages of any size', async () => {
    const appId = newApp()
    const made = []
    for (let count = 0; count < 5; count++) made.push((await batch([await accepted({ appId })])).id)
    await setBatch(made[1] ?? '', 'submitted')
    await setBatch(made[3] ?? '', 'submitted')
    const mine = { ...anyBatch, visibleTo: appId }
    expect(idsOf(await batches.list({ ...mine, state: 'submitted' }))).toEqual([made[3], made[1]])
    expect(idsOf(await batches.list({ ...mine, chainId: chain.chainId + 1 }))).toEqual([])
    for (const limit of [1, 2, 5]) {
      const seen = await walk((after) => batches.list({ ...mine, limit, after }))
      expect(seen.map(({ id }) => id)).toEqual(made.toReversed())
    }
  })
})

describe('bounds', () => {
  test('a page that finds nothing stops after its days, and the next ones come to the end', async () => {
    await makeOlderDays(database, 60)
    const nobody = { ...all, visibleTo: newApp() }
    const first = await intents.list(nobody)
    expect(first).toMatchObject({ items: [], next: expect.stringMatching(/^pi_/) })
    let pages = 0
    await walk((after) => {
      pages++
      return intents.list({ ...nobody, after })
    })
    // 62 days that are over or begun and 3 ahead, 31 of them for a page.
    expect(pages).toBe(3)
    const old = { ...all, after: first.next }
    const seen = await intents.list(old)
    expect(seen.items).toEqual([])
  })

  test('what lies many days back is found by going on, and so is what is on the edge of a day', async () => {
    const appId = newApp()
    const { rows } = await sql<{ id: string }>`
      insert into intent (id, app_id, chain_id, vault, token, payer, payee, amount, nonce, mode, deadline, order_ref, digest, signature, state, created_at)
      select (lpad(to_hex(floor(extract(epoch from d) * 1000)::bigint), 12, '0') || '70008000' || lpad('', 12, '0'))::uuid, ${appId},
        1, ${Buffer.alloc(20)}, ${Buffer.alloc(20)}, ${Buffer.alloc(20)}, ${Buffer.alloc(20)}, 1, 0, 'independent', 0, ${Buffer.alloc(8)},
        ${Buffer.alloc(32)}, ${Buffer.alloc(64)}, 'finalized', d
      from generate_series(date_trunc('day', now(), 'utc') - interval '60 days', date_trunc('day', now(), 'utc'), interval '12 hours') as d
      returning id`.execute(database)
    const expected = rows
      .map(({ id }) => idOf('pi', id))
      .toSorted()
      .toReversed()
    for (const limit of [7, 100]) {
      const seen = await walk((after) => intents.list({ ...all, visibleTo: appId, limit, after }))
      expect(seen.map(({ id }) => id)).toEqual(expected)
    }
  })

  test('a made-up cursor does no harm', async () => {
    for (const uuid of ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff']) {
      await intents.list({ ...all, after: idOf('pi', uuid) })
      await orders.list(ordersOf('app-m', { after: idOf('po', uuid) }))
      await batches.list({ ...anyBatch, after: idOf('sb', uuid) })
    }
    expect(uuidOf('pi', idOf('pi', 'ffffffff-ffff-ffff-ffff-ffffffffffff'))).toBe(
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
    )
  })

  test('a refused record goes on being found', async () => {
    const appId = newApp()
    const { id } = await accepted({ appId })
    await createBatching(database).refuse([{ id, reason: 'nonce_spent', retryAfterMillis: 1 }])
    expect(idsOf(await intents.list({ ...all, visibleTo: appId, state: 'accepted' }))).toEqual([id])
  })
})
