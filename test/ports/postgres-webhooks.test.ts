import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { beforeEach, describe, expect, test } from 'vitest'
import { bytes, uuidOfOwn } from '../../adapters/postgres/codec.ts'
import type { Verdict } from '../../core/webhook.ts'
import { admitOne, payerWith } from './books.ts'
import { candidate, chain, order } from './payments.ts'
import { postgresBooks } from './postgres-books.ts'
import { freshDatabase } from './postgres-server.ts'
import {
  addEvent,
  dropEvent,
  endpointOf,
  eventsOf,
  given,
  hurry,
  refused,
  roomy,
  sequences,
  tried,
  webhooksOn,
} from './webhooks.ts'

const { database, connect } = await freshDatabase()
const { endpoints, deliveries, notification } = webhooksOn(database)
const rival = webhooksOn(connect()).notification
const ofApp = (appId: string) =>
  deliveries.list({
    appId,
    endpointId: undefined,
    intentId: undefined,
    state: undefined,
    before: undefined,
    countMax: 100,
  })
const claim = async (room = {}) => (await notification.claim({ ...roomy, ...room })).deliveries

beforeEach(async () => {
  await sql`truncate webhook_endpoint, webhook_delivery, payee_owner`.execute(database)
})

describe('obligations begin with the change itself', () => {
  test('one for each endpoint of the submitting app and of the payee’s app, once even if both are the same', async () => {
    const books = await postgresBooks()
    const payment = candidate({ appId: 'wallet', payer: await payerWith(books, 1_000n) })
    const theirs = { appId: 'shop', states: undefined, hasHmac: false, countMax: 10 }
    const on = webhooksOn(books.database)
    for (const appId of ['wallet', 'shop', 'stranger']) {
      await on.endpoints.create({ ...theirs, appId, url: `https://${appId}.example/` })
    }
    await sql`
      insert into payee_owner (chain_id, payee, app_id, issued_at, signature)
      values (${chain.chainId}, ${bytes(payment.payment.payee)}, 'shop', 1, ${randomBytes(64)})`.execute(books.database)
    await admitOne(books, payment)
    const own = candidate({ appId: 'shop', payer: await payerWith(books, 1_000n), payee: payment.payment.payee })
    await admitOne(books, own)
    const { rows } = await sql<{ app_id: string; count: number }>`
      select app_id, count(*) from webhook_delivery group by app_id order by app_id`.execute(books.database)
    expect(rows).toEqual([
      { app_id: 'shop', count: 2 },
      { app_id: 'wallet', count: 1 },
    ])
  })

  test('what is rolled back obliges to nothing', async () => {
    await endpointOf(database, { appId: 'a' })
    await database
      .transaction()
      .execute(async (tx) => {
        await eventsOf(tx, { appId: 'a', states: ['accepted'] })
        throw new Error('rolled back')
      })
      .catch(() => undefined)
    expect(await ofApp('a')).toEqual([])
  })

  test('only for states that the endpoint wants, and none for a deleted one', async () => {
    await endpointOf(database, { appId: 'a', states: ['finalized'] })
    const deleted = await endpointOf(database, { appId: 'a' })
    await endpoints.remove('a', deleted.id)
    await eventsOf(database, { appId: 'a', states: ['accepted', 'batched', 'finalized'] })
    expect((await ofApp('a')).map(({ type, about }) => [type, about?.sequence])).toEqual([['payment.finalized', 3]])
  })

  test('a disabled endpoint collects them, and gets them in order when it is enabled', async () => {
    const { id } = await endpointOf(database, { appId: 'a' })
    await endpoints.disable('a', id)
    await eventsOf(database, { appId: 'a', states: ['accepted', 'batched'] })
    expect(await claim()).toEqual([])
    await endpoints.enable('a', id)
    const first = await claim()
    expect(sequences(first)).toEqual([1])
    await notification.settle(first.map((each) => tried(each)))
    expect(sequences(await claim())).toEqual([2])
  })
})

describe('what an app is told', () => {
  test('the facts of the event, and the reference only if the order is its own', async () => {
    const books = await postgresBooks()
    const on = webhooksOn(books.database)
    const wanted = order({ appId: 'shop', reference: 'INV-7' })
    await books.orders.create(wanted)
    const payment = candidate({
      ...{ appId: 'wallet', payer: await payerWith(books, 1_000n) },
      ...{ payee: wanted.payee, orderRef: wanted.orderRef },
    })
    await sql`
      insert into payee_owner (chain_id, payee, app_id, issued_at, signature)
      values (${chain.chainId}, ${bytes(wanted.payee)}, 'shop', 1, ${randomBytes(64)})`.execute(books.database)
    for (const appId of ['wallet', 'shop']) await endpointOf(books.database, { appId })
    await admitOne(books, payment)
    const { id } = await books.batch([payment])
    await sql`update batch set state = 'submitted' where id = ${uuidOfOwn('sb', id)}`.execute(books.database)
    await books.include(id, '0x01')
    const { rows } = await sql<{
      sequence: number
    }>`select sequence from webhook_delivery where app_id = 'shop'`.execute(books.database)
    expect(rows).toHaveLength(4)
    for (let round = 0; round < 4; round++) {
      const { deliveries: claimed } = await on.notification.claim(roomy)
      const facts = claimed.map(({ event }) => (event.kind === 'payment' ? event.facts : undefined))
      const { payer, payee, token, amount } = payment.payment
      const common = { intentId: payment.id, sequence: round + 1, digest: payment.digest, payer, payee, token, amount }
      const references = facts.map((each) => each?.reference).toSorted()
      expect(facts).toMatchObject([
        { ...common, orderId: wanted.id },
        { ...common, orderId: wanted.id },
      ])
      expect(references).toEqual(['INV-7', undefined])
      if (round === 3) expect(facts[0]).toMatchObject({ state: 'included', batchId: id, blockNumber: 103n })
      await on.notification.settle(claimed.map((each) => tried(each)))
    }
  })
})

describe('order', () => {
  test('a later sequence waits for the lower one of its payment; other payments do not', async () => {
    await endpointOf(database, { appId: 'a' })
    const slow = await eventsOf(database, { appId: 'a', states: ['accepted', 'batched', 'submitted'] })
    const first = await claim()
    expect(sequences(first)).toEqual([1])
    expect(await claim()).toEqual([])
    await eventsOf(database, { appId: 'a', states: ['accepted'] })
    const other = await claim()
    expect(other.map(({ event }) => event.kind === 'payment' && event.facts.intentId)).not.toContain(slow.id)
    expect(sequences(other)).toEqual([1])
    await notification.settle(other.map((each) => tried(each)))
    await notification.settle(first.map((each) => tried(each, refused)))
    expect(await claim()).toEqual([])
    await hurry(database)
    const again = await claim()
    expect(again.map(({ id, attempt, failures }) => [id, attempt, failures])).toEqual([[first[0]?.id, 2, 1]])
    await notification.settle(again.map((each) => tried(each)))
    expect(sequences(await claim())).toEqual([2])
  })

  test('a dead letter lets the next one go', async () => {
    await endpointOf(database, { appId: 'a' })
    await eventsOf(database, { appId: 'a', states: ['accepted', 'batched'] })
    await claim().then((claimed) => notification.settle(claimed.map((each) => tried(each, given))))
    expect(sequences(await claim())).toEqual([2])
  })

  test('an event that comes while the lower one is under way goes when that one is done', async () => {
    await endpointOf(database, { appId: 'a' })
    const payment = await eventsOf(database, { appId: 'a', states: ['accepted'] })
    const first = await claim()
    await addEvent(database, payment, 2, 'batched')
    expect(await claim()).toEqual([])
    await notification.settle(first.map((each) => tried(each)))
    expect(sequences(await claim())).toEqual([2])
  })

  test('a backlog behind a failing one is looked at once, and then waits as long as that one', async () => {
    await endpointOf(database, { appId: 'a' })
    const payment = await eventsOf(database, { appId: 'a', states: ['accepted'] })
    await claim().then((claimed) => notification.settle(claimed.map((each) => tried(each, refused))))
    await addEvent(database, payment, 2, 'batched')
    await addEvent(database, payment, 3, 'submitted')
    expect(await notification.claim(roomy)).toEqual({ setAsideCount: 2, deliveries: [] })
    expect(await notification.claim(roomy)).toEqual({ setAsideCount: 0, deliveries: [] })
    expect(new Set((await ofApp('a')).map(({ dueAtMillis }) => dueAtMillis)).size).toBe(1)
  })

  test('what has no room is left alone: nothing is claimed and nothing put off', async () => {
    const { id } = await endpointOf(database, { appId: 'a' })
    await eventsOf(database, { appId: 'a', states: ['accepted'] })
    await sql`update webhook_endpoint set failing_since = now()`.execute(database)
    expect(await notification.claim({ ...roomy, failingCountMax: 0 })).toEqual({ setAsideCount: 0, deliveries: [] })
    expect(await claim()).toMatchObject([{ endpointId: id, attempt: 1 }])
  })
})

describe('claims', () => {
  test('of two processes never overlap', async () => {
    await endpointOf(database, { appId: 'a' })
    for (let count = 0; count < 30; count++) await eventsOf(database, { appId: 'a', states: ['accepted'] })
    const claims = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        (index % 2 === 0 ? notification : rival).claim({ ...roomy, countMax: 10, perEndpointMax: 10 }),
      ),
    )
    const ids = claims.flatMap(({ deliveries }) => deliveries.map(({ id }) => id))
    expect(new Set(ids).size).toBe(ids.length)
    const rest = await claim()
    expect(ids.length + rest.length).toBe(30)
  })

  test('give each endpoint a turn before any has two', async () => {
    const [busy, quiet] = [await endpointOf(database, { appId: 'a' }), await endpointOf(database, { appId: 'b' })]
    for (let count = 0; count < 5; count++) await eventsOf(database, { appId: 'a', states: ['accepted'] })
    await eventsOf(database, { appId: 'b', states: ['accepted'] })
    const taken = await claim({ countMax: 2 })
    expect(new Set(taken.map(({ endpointId }) => endpointId))).toEqual(new Set([busy.id, quiet.id]))
  })

  test('give a free place to who has the least under way, not to the oldest backlog', async () => {
    const slow = await Promise.all(['a', 'b', 'c'].map((appId) => endpointOf(database, { appId })))
    const room = { countMax: 6, perEndpointMax: 2 }
    for (const { appId } of slow) {
      for (let count = 0; count < 5; count++) await eventsOf(database, { appId, states: ['accepted'] })
    }
    const first = await claim(room)
    expect(first).toHaveLength(6)
    const quiet = await endpointOf(database, { appId: 'quiet' })
    await eventsOf(database, { appId: 'quiet', states: ['accepted'] })
    const [done, ...rest] = first
    if (done === undefined) throw new Error('nothing claimed')
    await notification.settle([tried(done)])
    const underWay = new Map<string, number>()
    for (const { endpointId } of rest) underWay.set(endpointId, (underWay.get(endpointId) ?? 0) + 1)
    expect(await claim({ ...room, countMax: 1, underWay })).toMatchObject([{ endpointId: quiet.id }])
  })

  test('take no more of an app than it has room for, however many endpoints it has, and each of those in turn', async () => {
    const own = [await endpointOf(database, { appId: 'a' }), await endpointOf(database, { appId: 'a' })]
    const other = await endpointOf(database, { appId: 'b' })
    for (let count = 0; count < 5; count++) {
      for (const appId of ['a', 'b']) await eventsOf(database, { appId, states: ['accepted'] })
    }
    const [one, two] = own
    const underWay = new Map([[one?.id ?? '', 1]])
    const taken = (await claim({ perAppMax: 3, underWay })).map(({ endpointId }) => endpointId)
    expect(taken.filter((id) => id === other.id)).toHaveLength(3)
    // The second endpoint's turn comes first, since the first one has had it.
    expect(taken.filter((id) => id !== other.id).toSorted()).toEqual([one?.id, two?.id].toSorted())
    expect(
      await claim({
        perAppMax: 3,
        underWay: new Map([
          [two?.id ?? '', 3],
          [other.id, 3],
        ]),
      }),
    ).toEqual([])
  })

  test('take no more of an endpoint than it has room for, counting what is under way', async () => {
    const { id } = await endpointOf(database, { appId: 'a' })
    for (let count = 0; count < 5; count++) await eventsOf(database, { appId: 'a', states: ['accepted'] })
    expect(await claim({ perEndpointMax: 3, underWay: new Map([[id, 1]]) })).toHaveLength(2)
    expect(await claim({ perEndpointMax: 3, underWay: new Map([[id, 3]]) })).toHaveLength(0)
  })

  test('leave room for the others when failing endpoints have much', async () => {
    const failing = await endpointOf(database, { appId: 'a' })
    await endpointOf(database, { appId: 'b' })
    for (let count = 0; count < 5; count++) await eventsOf(database, { appId: 'a', states: ['accepted'] })
    const [first] = await claim({ countMax: 1 })
    if (first === undefined) throw new Error('nothing claimed')
    await notification.settle([tried(first, refused)])
    await eventsOf(database, { appId: 'b', states: ['accepted'] })
    const taken = await claim({ failingCountMax: 2 })
    expect(taken.filter(({ endpointId }) => endpointId === failing.id)).toHaveLength(2)
    expect(taken).toHaveLength(3)
    expect(taken.filter(({ isFailing }) => isFailing)).toHaveLength(2)
    expect(await claim({ failingCountMax: 0 })).toEqual([])
  })

  test('come back when the lease ends: the one that died is counted as begun, not as failed', async () => {
    await endpointOf(database, { appId: 'a' })
    await eventsOf(database, { appId: 'a', states: ['accepted'] })
    const [dead] = await claim({ leaseMillis: 1 })
    await new Promise((resolve) => setTimeout(resolve, 5))
    const [again] = await claim()
    expect(again).toMatchObject({ id: dead?.id, webhookId: dead?.webhookId, attempt: 2, failures: 0 })
    if (dead === undefined || again === undefined) throw new Error('nothing claimed')
    // Late news of the first try: its failure is stale, its success is not.
    await notification.settle([tried(dead, given)])
    expect(await ofApp('a')).toMatchObject([{ state: 'open' }])
    await notification.settle([tried(dead)])
    expect(await ofApp('a')).toMatchObject([{ state: 'delivered', attempts: 2, lastStatus: 204 }])
    await notification.settle([tried(again, given)])
    expect(await ofApp('a')).toMatchObject([{ state: 'delivered' }])
  })
})

describe('an endpoint', () => {
  const gone: Verdict = {
    ...{ outcome: 'retry', afterMillis: 3_600_000, status: 410, error: 'http_410', isGone: true },
  }
  const failedFor = async (seconds: number) => {
    await endpointOf(database, { appId: 'a' })
    await eventsOf(database, { appId: 'a', states: ['accepted'] })
    await sql`update webhook_endpoint set failing_since = now() - ${seconds} * interval '1 second'`.execute(database)
    return claim()
  }

  test('that answers 410 is disabled at once, and its obligation stays open', async () => {
    const { id } = await endpointOf(database, { appId: 'a' })
    await eventsOf(database, { appId: 'a', states: ['accepted'] })
    await claim().then((claimed) => notification.settle(claimed.map((each) => tried(each, gone))))
    expect(await endpoints.find('a', id)).toMatchObject({ disabled: { reason: 'gone' } })
    expect(await ofApp('a')).toMatchObject([{ state: 'open', lastStatus: 410 }])
    await hurry(database)
    expect(await claim()).toEqual([])
  })

  test('that has another URL by now is not judged by what the old one answers', async () => {
    const { id, states, hasHmac } = await endpointOf(database, { appId: 'a' })
    for (let count = 0; count < 3; count++) await eventsOf(database, { appId: 'a', states: ['accepted'] })
    const [goneLate, failedLate, takenLate] = await claim()
    if (!goneLate || !failedLate || !takenLate) throw new Error('too little claimed')
    await endpoints.change('a', id, { url: 'https://new.example/', states, hasHmac })
    await notification.settle([tried(goneLate, gone), tried(failedLate, refused)])
    expect(await endpoints.find('a', id)).toMatchObject({ disabled: undefined, failingSinceMillis: undefined })
    await sql`update webhook_endpoint set failing_since = now()`.execute(database)
    await notification.settle([tried(takenLate)])
    expect((await endpoints.find('a', id))?.failingSinceMillis).toBeDefined()
    expect((await ofApp('a')).map(({ state }) => state).toSorted()).toEqual(['delivered', 'open', 'open'])
  })

  test('is not judged by a failure that was claimed anew meanwhile', async () => {
    const { id } = await endpointOf(database, { appId: 'a' })
    await eventsOf(database, { appId: 'a', states: ['accepted'] })
    const stale = await claim({ leaseMillis: 1 })
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(await claim()).toMatchObject([{ attempt: 2 }])
    await notification.settle(stale.map((each) => tried(each, gone)))
    expect(await endpoints.find('a', id)).toMatchObject({ disabled: undefined, failingSinceMillis: undefined })
  })

  test('is disabled by a failure when five days have passed since its first, not a minute before', async () => {
    const fiveDays = 5 * 24 * 3600
    const early = await failedFor(fiveDays - 60)
    await notification.settle(early.map((each) => tried(each, refused)))
    expect(await endpoints.list('a')).toMatchObject([{ disabled: undefined }])
    await sql`truncate webhook_endpoint, webhook_delivery`.execute(database)
    const late = await failedFor(fiveDays + 1)
    await notification.settle(late.map((each) => tried(each, refused)))
    expect(await endpoints.list('a')).toMatchObject([{ disabled: { reason: 'failing' } }])
  })

  test('has one success, and its failures are forgotten', async () => {
    const claimed = await failedFor(3600)
    await notification.settle(claimed.map((each) => tried(each)))
    expect(await endpoints.list('a')).toMatchObject([{ failingSinceMillis: undefined }])
  })

  test('that is disabled keeps its reason; enabled again it begins afresh', async () => {
    const { id } = await endpointOf(database, { appId: 'a' })
    await sql`update webhook_endpoint set disabled_reason = 'gone', disabled_since = now(), failing_since = now()`.execute(
      database,
    )
    expect(await endpoints.disable('a', id)).toMatchObject({ disabled: { reason: 'gone' } })
    expect(await endpoints.enable('a', id)).toMatchObject({ disabled: undefined, failingSinceMillis: undefined })
  })

  test('signs with two secrets during a rotation, however often the request comes', async () => {
    const { id } = await endpointOf(database, { appId: 'a', hasHmac: true })
    const requestSha256 = randomBytes(32)
    await endpoints.rotate('a', id, { overlapSeconds: 3600, requestSha256 })
    const rotated = await endpoints.rotate('a', id, { overlapSeconds: 3600, requestSha256 })
    expect(rotated).toMatchObject({ hmacVersion: 2 })
    await eventsOf(database, { appId: 'a', states: ['accepted'] })
    expect(await claim()).toMatchObject([{ hmacVersions: [2, 1] }])
    await endpoints.rotate('a', id, { overlapSeconds: 0, requestSha256: randomBytes(32) })
    await eventsOf(database, { appId: 'a', states: ['accepted'] })
    expect(await claim()).toMatchObject([{ hmacVersions: [3] }])
  })

  test('of another app is not found, not changed and not deleted', async () => {
    const { id, ...terms } = await endpointOf(database, { appId: 'a' })
    const rotation = { overlapSeconds: 1, requestSha256: randomBytes(32) }
    expect(await endpoints.find('b', id)).toBeUndefined()
    expect(await endpoints.change('b', id, terms)).toBeUndefined()
    expect(await endpoints.rotate('b', id, rotation)).toBeUndefined()
    expect(await endpoints.disable('b', id)).toBeUndefined()
    expect(await endpoints.remove('b', id)).toBe(false)
    expect(await deliveries.test('b', id)).toBeUndefined()
    expect(await endpoints.find('a', id)).toMatchObject({ hmacVersion: 1, disabled: undefined })
  })

  test('is registered once per URL, and at most as many as the app may have, also by ten at once', async () => {
    await sql`insert into app (id, name, secret_sha256, role) values ('many', 'x', ${randomBytes(32)}, 'app')`.execute(
      database,
    )
    const create = (index: number) =>
      endpoints.create({
        appId: 'many',
        countMax: 3,
        url: `https://a.example/${index}`,
        states: undefined,
        hasHmac: false,
      })
    const created = await Promise.all([0, 0, 1, 1, 2, 2, 3, 3, 4, 4].map(create))
    expect(created.filter(({ outcome }) => outcome === 'created')).toHaveLength(3)
    expect(await endpoints.list('many')).toHaveLength(3)
  })
})

describe('what waits for a further try', () => {
  async function waiting() {
    const { id } = await endpointOf(database, { appId: 'a' })
    await eventsOf(database, { appId: 'a', states: ['accepted', 'batched'] })
    await notification.settle((await claim()).map((delivery) => tried(delivery, refused)))
    expect(await claim()).toEqual([])
    return id
  }

  test('is due at once, in order, when its endpoint is enabled', async () => {
    const id = await waiting()
    await endpoints.disable('a', id)
    await endpoints.enable('a', id)
    const [first, ...others] = await claim()
    expect(first && sequences([first])).toEqual([1])
    expect(others).toEqual([])
  })

  test('is due at once with what goes before it, when its app replays it', async () => {
    await waiting()
    const second = (await ofApp('a')).find(({ about }) => about?.sequence === 2)
    await deliveries.replay('a', second?.id ?? '')
    const first = await claim()
    expect(sequences(first)).toEqual([1])
    await notification.settle(first.map((delivery) => tried(delivery)))
    expect(sequences(await claim())).toEqual([2])
  })
})

describe('dead letters', () => {
  test('are replayed as a new delivery with the same webhook-id, once while it is open', async () => {
    await endpointOf(database, { appId: 'a' })
    await eventsOf(database, { appId: 'a', states: ['accepted'] })
    const [first] = await claim()
    if (first === undefined) throw new Error('nothing claimed')
    await notification.settle([tried(first, given)])
    const replayed = await deliveries.replay('a', first.id)
    expect(replayed).toMatchObject({ webhookId: first.id, state: 'open', attempts: 0 })
    expect(await deliveries.replay('a', first.id)).toEqual(replayed)
    expect(await deliveries.replay('b', first.id)).toBeUndefined()
    const [again] = await claim()
    expect(again).toMatchObject({ webhookId: first.id, failures: 0 })
    expect(again?.id).not.toBe(first.id)
    expect(await ofApp('a')).toMatchObject([{ state: 'open' }, { state: 'dead', lastError: 'answer_timeout' }])
  })

  test('are those whose event is gone: the others go on, and the endpoint is not blamed', async () => {
    const { id } = await endpointOf(database, { appId: 'a' })
    const lost = await eventsOf(database, { appId: 'a', states: ['accepted', 'batched'] })
    const kept = await eventsOf(database, { appId: 'a', states: ['accepted'] })
    await dropEvent(database, lost, 1)
    const { setAsideCount, deliveries: claimed } = await notification.claim(roomy)
    expect(claimed.map(({ event }) => event.kind === 'payment' && event.facts.intentId)).toEqual([kept.id])
    expect(setAsideCount).toBe(2)
    const [dead] = (await ofApp('a')).filter(({ state }) => state === 'dead')
    expect(dead).toMatchObject({ lastError: 'event_gone', about: { intentId: lost.id, sequence: 1 } })
    expect(await endpoints.find('a', id)).toMatchObject({ failingSinceMillis: undefined, disabled: undefined })
    // What was put off behind it goes now.
    expect(sequences(await claim())).toEqual([2])
    expect(await deliveries.replay('a', dead?.id ?? '')).toBe('event_gone')
    expect((await ofApp('a')).filter(({ state }) => state === 'open')).toHaveLength(2)
  })

  test('have nowhere to go once their endpoint is deleted', async () => {
    const { id } = await endpointOf(database, { appId: 'a' })
    await eventsOf(database, { appId: 'a', states: ['accepted', 'batched'] })
    const [first] = await claim()
    if (first === undefined) throw new Error('nothing claimed')
    await notification.settle([tried(first, given)])
    await endpoints.remove('a', id)
    expect(await deliveries.replay('a', first.id)).toBe('endpoint_deleted')
    expect(await notification.endOverdue()).toBe(1)
    expect(await ofApp('a')).toMatchObject([{ state: 'dead', lastError: 'endpoint_deleted' }, { state: 'dead' }])
    expect(await notification.endOverdue()).toBe(0)
  })

  test('are what nobody could be told for seven days', async () => {
    const { id } = await endpointOf(database, { appId: 'a' })
    await endpoints.disable('a', id)
    await sql`select ensure_day_partition((now() at time zone 'utc')::date - ago) from generate_series(6, 8) as ago`.execute(
      database,
    )
    const old = (hours: number) =>
      sql`
        insert into webhook_delivery (id, message_id, endpoint_id, app_id, type)
        select (lpad(to_hex((extract(epoch from now() - ${hours} * interval '1 hour') * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid,
          new_id(), ${uuidOfOwn('we', id)}, 'a', 'webhook.test'`.execute(database)
    await old(7 * 24 + 1)
    await old(7 * 24 - 1)
    expect(await notification.endOverdue()).toBe(1)
    expect((await ofApp('a')).map(({ state }) => state)).toEqual(['open', 'dead'])
  })
})

test('lists walk back page by page, by endpoint, payment and state', async () => {
  const { id } = await endpointOf(database, { appId: 'a' })
  await endpointOf(database, { appId: 'a' })
  const payment = await eventsOf(database, { appId: 'a', states: ['accepted', 'batched', 'submitted'] })
  await claim().then((claimed) => notification.settle(claimed.map((each) => tried(each))))
  const filter = { appId: 'a', endpointId: undefined, intentId: undefined, state: undefined, before: undefined }
  const all = await deliveries.list({ ...filter, countMax: 100 })
  expect(all).toHaveLength(6)
  expect(all.map((each) => each.id)).toEqual(
    all
      .map((each) => each.id)
      .toSorted()
      .toReversed(),
  )
  const pages = [await deliveries.list({ ...filter, countMax: 4 })]
  pages.push(await deliveries.list({ ...filter, countMax: 4, before: pages[0]?.at(-1)?.id }))
  expect(pages.flat()).toEqual(all)
  expect(await deliveries.list({ ...filter, endpointId: id, countMax: 100 })).toHaveLength(3)
  expect(await deliveries.list({ ...filter, intentId: payment.id, state: 'delivered', countMax: 100 })).toHaveLength(2)
  expect(await deliveries.list({ ...filter, endpointId: 'we_nonsense', countMax: 100 })).toEqual([])
  expect(await deliveries.list({ ...filter, appId: 'b', countMax: 100 })).toEqual([])
  expect(await deliveries.backlog()).toMatchObject({ openCount: 4, deadCount: 0 })
})
