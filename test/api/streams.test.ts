import type { Server } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import type { PrivateKeyAccount } from 'viem/accounts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBatching } from '../../adapters/postgres/batching.ts'
import { bytes, newId, uuidOfOwn } from '../../adapters/postgres/codec.ts'
import { limitsDefault } from '../../api/limits.ts'
import { listen } from '../../api/server.ts'
import { zeroHash } from '../../core/protocol/typed-data.ts'
import { eventReader } from './event-reader.ts'
import { createWorld, type World } from './world.ts'

let world: World
let server: Server
let url: string
const stopping = new AbortController()
const payer = (): PrivateKeyAccount => world.payers[0] as PrivateKeyAccount

beforeAll(async () => {
  world = await createWorld({
    payerCount: 1,
    ports: { stopping: stopping.signal, limits: { ...limitsDefault, streamsMax: 30, streamsPerAppMax: 2 } },
  })
  await world.depositFor(payer())
  url = await new Promise((resolve) => {
    server = listen({
      ...{ fetch: world.app.fetch, host: '127.0.0.1', port: 0 },
      onListening: ({ port }) => resolve(`http://127.0.0.1:${port}`),
    })
  })
  afterAll(() => void server.close())
})

const authorization = (who: string) => `Basic ${btoa(`${who}:${who}-secret`)}`
async function pay(): Promise<{ id: string; watch: string }> {
  const { chainId, payee, token } = world
  const body = { chainId, payer: payer().address, payee, token: token.address, amount: '1000000' }
  const prepared = await world.post('/v1/intents/prepare', body)
  const paid = await world.post('/v1/intents', await world.signed(payer(), prepared.body))
  expect(paid.status).toBe(201)
  return { id: paid.body.id, watch: url + new URL(paid.body.watchUrl).pathname + new URL(paid.body.watchUrl).search }
}
/** What the relayer does to a batch, without one. */
async function batched(ids: readonly string[]): Promise<string> {
  const id = newId('sb')
  await createBatching(world.database).create({
    ...{ id, chainId: world.chainId, vault: world.vault, token: world.token.address, anchor: zeroHash },
    ...{ opening: { sequence: 0n, head: zeroHash }, payload: '0x01', gasLimit: 1n, mode: 'independent' },
    ...{ payments: ids.map((id, bit) => ({ id, bit })), cancelIds: [] },
  })
  return id
}
const move = (batch: string, state: string) =>
  sql`
    update batch set state = ${state}, results = '\xff', block_number = 7, tx_hash = ${bytes(`0x${'ab'.repeat(32)}`)}
    where id = ${uuidOfOwn('sb', batch)}`.execute(world.database)
async function settle(id: string): Promise<void> {
  const batch = await batched([id])
  for (const state of ['submitted', 'included', 'finalized']) await move(batch, state)
}
const watch = (link: string, headers: Record<string, string> = {}) => eventReader(link, headers)
const follow = (who = 'wallet', headers: Record<string, string> = {}) =>
  eventReader(`${url}/v1/stream`, { authorization: authorization(who), ...headers })
const life = ['accepted', 'batched', 'submitted', 'included', 'finalized']

describe('the stream of a payment', () => {
  test('tells every state once and in order, public facts only, and ends with the last', async () => {
    const { id, watch: link } = await pay()
    const stream = await watch(link)
    await stream.take(1)
    await settle(id)
    const events = await stream.rest()
    expect(events.map(({ data }) => data.state)).toEqual(life)
    expect(events.map((event) => event.id)).toEqual(['1', '2', '3', '4', '5'])
    expect(events.at(-1)).toEqual({
      id: '5',
      event: 'state',
      data: {
        intent: id,
        sequence: 5,
        state: 'finalized',
        at: expect.any(String),
        tx: `0x${'ab'.repeat(32)}`,
        block: '7',
      },
    })
    expect(stream.text()).toMatch(/^retry: \d+\n\n/)
  })

  test('is open to pages of any origin, is kept by nobody, and needs no credentials', async () => {
    const { watch: link } = await pay()
    const stream = await watch(link, { origin: 'https://pay.example' })
    expect(Object.fromEntries(stream.headers)).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'access-control-allow-origin': '*',
      'cache-control': 'no-store',
      'cross-origin-resource-policy': 'cross-origin',
      'referrer-policy': 'no-referrer',
      'x-accel-buffering': 'no',
    })
    stream.close()
    const asked = await fetch(link, {
      method: 'OPTIONS',
      headers: { 'access-control-request-headers': 'last-event-id' },
    })
    expect([asked.status, asked.headers.get('access-control-allow-headers')]).toEqual([204, 'Last-Event-ID'])
    const { headers } = await fetch(`${url}/v1/intents`, { headers: { origin: 'https://pay.example' } })
    expect(headers.get('access-control-allow-origin')).toBeNull()
  })

  test('goes on after the last event that the client has, and says 204 when there is no more', async () => {
    const { id, watch: link } = await pay()
    await settle(id)
    const stream = await watch(link, { 'last-event-id': '3' })
    expect((await stream.rest()).map((event) => event.id)).toEqual(['4', '5'])
    expect((await fetch(link, { headers: { 'last-event-id': '5' } })).status).toBe(204)
    // An id that the payment has not come to is another stream's: everything is told.
    expect((await (await watch(link, { 'last-event-id': '99' })).rest()).map((event) => event.id)).toHaveLength(5)
    const refused = await fetch(link, { headers: { 'last-event-id': 'x' } })
    expect([refused.status, await refused.json()]).toMatchObject([400, { errors: [{ path: 'Last-Event-ID' }] }])
  })

  test('refuses a wrong capability, that of another payment and none, in the same words as an unknown payment', async () => {
    const [mine, other] = [await pay(), await pay()]
    const capability = new URL(mine.watch).searchParams.get('capability') ?? ''
    const flipped = (capability.startsWith('A') ? 'B' : 'A') + capability.slice(1)
    const answers = []
    for (const path of [
      `${other.id}/stream?capability=${capability}`,
      `${mine.id}/stream?capability=${flipped}`,
      `${mine.id}/stream?capability=`,
      `${mine.id}/stream?capability=${capability.slice(0, -2)}`,
      `pi_none/stream?capability=${capability}`,
    ]) {
      const answer = await fetch(`${url}/v1/intents/${path}`)
      const { instance, ...problem } = (await answer.json()) as Record<string, unknown>
      answers.push({ status: answer.status, problem })
      expect(instance).toBeDefined()
      expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    }
    expect(new Set(answers.map((each) => JSON.stringify(each))).size).toBe(1)
    expect(answers[0]).toMatchObject({ status: 404, problem: { code: 'not_found', detail: 'No such intent.' } })
    expect((await fetch(`${url}/v1/intents/${mine.id}/stream`)).status).toBe(400)
    // The link opens this one route: not the payment, and not with another method.
    expect((await fetch(`${url}/v1/intents/${mine.id}?capability=${capability}`)).status).toBe(401)
    expect((await fetch(mine.watch, { method: 'POST' })).status).toBe(401)
  })

  test('is never logged with its capability', async () => {
    const { id, watch: link } = await pay()
    await settle(id)
    await (await watch(link)).rest()
    await await watch(link.replace(/capability=./, 'capability=_')).catch(() => undefined)
    const lines = JSON.stringify(world.logged)
    expect(lines).toContain(`/v1/intents/${id}/stream`)
    expect(lines).not.toContain('capability')
    expect(lines).not.toContain(new URL(link).searchParams.get('capability'))
  })

  test('refuses the twenty-first window on one payment and lets others in', async () => {
    const [one, other] = [await pay(), await pay()]
    const streams = await Promise.all(Array.from({ length: 20 }, () => watch(one.watch)))
    const refused = await fetch(one.watch)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '5'])
    ;(await watch(other.watch)).close()
    for (const stream of streams) stream.close()
    await eventually(async () => (await watch(one.watch)).close())
  })
})

describe('links', () => {
  test('fill four fifths of a process and not one place more: apps get in', async () => {
    const [one, other] = [await pay(), await pay()]
    const streams = await Promise.all([
      ...Array.from({ length: 20 }, () => watch(one.watch)),
      ...Array.from({ length: 4 }, () => watch(other.watch)),
    ])
    const refused = await fetch(other.watch)
    expect([refused.status, refused.headers.get('retry-after'), await refused.json()]).toMatchObject([
      503,
      '5',
      { code: 'overloaded', count: 24, countMax: 24 },
    ])
    ;(await follow()).close()
    for (const stream of streams) stream.close()
    await eventually(async () => (await watch(other.watch)).close())
  })
})

describe('the stream of an app', () => {
  test('tells from now on what the app submitted, and nothing to another app', async () => {
    const earlier = await pay()
    const [mine, others] = [await follow(), await follow('merchant')]
    const { id } = await pay()
    await settle(id)
    const events = await mine.take(5)
    expect(events.map(({ data }) => [data.intent, data.state])).toEqual(life.map((state) => [id, state]))
    expect(events[1]?.data).toMatchObject({
      chainId: world.chainId,
      batch: expect.stringMatching(/^sb_/),
      reason: null,
    })
    expect(mine.text()).not.toContain(earlier.id)
    mine.close()

    // A payment to a payee that it owns is all that the other app hears of.
    await sql`
      insert into payee_owner (chain_id, payee, app_id, issued_at, signature)
      values (${world.chainId}, ${bytes(world.payee)}, 'merchant', 1, ${Buffer.alloc(64)})`.execute(world.database)
    const theirs = await pay()
    expect((await others.take(1)).map(({ data }) => data.intent)).toEqual([theirs.id])
    await sql`delete from payee_owner`.execute(world.database)
    others.close()
  })

  test('says where it begins, so that a client that is cut off before the first event loses nothing', async () => {
    const quiet = await follow()
    while (!/^id: /m.test(quiet.text())) await quiet.more()
    const start = /^id: (.*)$/m.exec(quiet.text())?.[1] ?? ''
    quiet.close()
    const { id } = await pay()
    const back = await follow('wallet', { 'last-event-id': start })
    expect((await back.take(1)).map(({ data }) => [data.intent, data.state])).toEqual([[id, 'accepted']])
    back.close()
  })

  test('goes on from any event without loss or doubles, while more comes', async () => {
    const stream = await follow()
    const ids = []
    for (let count = 0; count < 3; count++) {
      const { id } = await pay()
      ids.push(id)
      await settle(id)
    }
    const all = [...(await stream.take(15))]
    stream.close()
    expect(new Set(all.map(({ id }) => id)).size).toBe(15)
    for (const at of [0, 4, 9, 13, 14]) {
      const resumed = await follow('wallet', { 'last-event-id': all[at]?.id ?? '' })
      const { id } = await pay()
      const told = await resumed.take(all.length - at)
      all.push(...told.slice(-1))
      expect(told.map((event) => event.id)).toEqual(all.slice(at + 1).map((event) => event.id))
      expect(told.at(-1)?.data).toMatchObject({ intent: id, state: 'accepted' })
      resumed.close()
    }
  })

  test.each([
    'x',
    '1.2.3',
    '1.pi_none.1',
    '1.pi_0000000000000000000000000z.1',
    `99999999999999999999.${newId('pi')}.1`,
    `1.${newId('pi')}.x`,
  ])('refuses the Last-Event-ID %s', async (last) => {
    const headers = { authorization: authorization('wallet'), 'last-event-id': last }
    const refused = await fetch(`${url}/v1/stream`, { headers })
    expect([refused.status, await refused.json()]).toMatchObject([400, { errors: [{ path: 'Last-Event-ID' }] }])
  })

  test('refuses an app its third stream, and takes it when one has ended', async () => {
    const streams = [await follow(), await follow()]
    const refused = await fetch(`${url}/v1/stream`, { headers: { authorization: authorization('wallet') } })
    expect([refused.status, refused.headers.get('retry-after'), (await refused.json()) as object]).toMatchObject([
      429,
      '5',
      { code: 'rate_limited', countMax: 2 },
    ])
    streams[0]?.close()
    await eventually(async () => (await follow()).close())
    streams[1]?.close()
    expect((await fetch(`${url}/v1/stream`)).status).toBe(401)
  })

  test('takes no place for a HEAD, however many ask', async () => {
    const headers = { authorization: authorization('wallet') }
    const { watch: link } = await pay()
    for (let asked = 0; asked < 25; asked++) {
      expect((await fetch(`${url}/v1/stream`, { method: 'HEAD', headers })).status).toBe(200)
      expect((await fetch(link, { method: 'HEAD' })).status).toBe(200)
    }
    ;(await follow()).close()
    ;(await watch(link)).close()
  })

  test('cuts off who does not read, and tells the rest to who comes back', async () => {
    const seen = await follow()
    const from = await pay()
    const [first] = await seen.take(1)
    seen.close()
    // A socket that asks and never reads; its backlog is larger than every buffer on the way.
    await sql`
      insert into intent_event (intent_id, sequence, app_id, chain_id, state, reason)
      select ${uuidOfOwn('pi', from.id)}::uuid, n, 'wallet', 1, 'submitted', repeat('x', 6000)
      from generate_series(2, 3000) as n`.execute(world.database)
    // One that reads keeps the other place, so that a new stream shows that the slow one is gone.
    const kept = await follow()
    void kept.rest().catch(() => undefined)
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    socket.on('error', () => undefined).pause()
    socket.write(
      `GET /v1/stream HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization('wallet')}\r\nlast-event-id: ${first?.id}\r\n\r\n`,
    )
    // It waits for the client as long as only the past is told; what comes meanwhile fills its share.
    await sql`
      insert into intent_event (intent_id, sequence, app_id, chain_id, state)
      select ${uuidOfOwn('pi', from.id)}::uuid, n, 'wallet', 1, 'submitted' from generate_series(3001, 9000) as n`.execute(
      world.database,
    )
    await eventually(async () => (await follow()).close())
    kept.close()
    socket.resume()
    await closed
    const told = await comeBack(first?.id ?? '', 8_999)
    expect(told.map(({ data }) => data.sequence)).toEqual(Array.from({ length: 8_999 }, (_, index) => index + 2))
  })
})

/** As every client does: if it is cut again, because the server's own reader is still behind, it goes on where it was. */
async function comeBack(after: string, count: number) {
  const told = []
  let last = after
  while (told.length < count) {
    const back = await follow('wallet', { 'last-event-id': last })
    const more = await back.upTo(count - told.length)
    told.push(...more)
    last = more.at(-1)?.id ?? last
    back.close()
  }
  return told
}

describe('a database transaction that stays open', () => {
  test('holds back what began after it, and nothing is lost when it ends', async () => {
    const stream = await follow()
    const slow = await world.database.startTransaction().execute()
    await sql`select pg_current_xact_id()`.execute(slow)
    const { id } = await pay()
    await sleep(600)
    expect(stream.text()).not.toContain(id)
    await slow.commit().execute()
    expect((await stream.take(1))[0]?.data).toMatchObject({ intent: id, state: 'accepted' })
    stream.close()
  })
})

describe('a process that stops', () => {
  test('ends its streams in good order, and opens no more', async () => {
    const { watch: link } = await pay()
    const [one, all] = [await watch(link), await follow()]
    await one.take(1)
    stopping.abort()
    expect(await one.rest()).toHaveLength(1)
    expect(await all.rest()).toEqual([])
    const refused = await fetch(link)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5'])
  })
})

/** Until it does not throw. */
async function eventually(attempt: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await attempt()
    } catch {
      await sleep(20)
    }
  }
}
