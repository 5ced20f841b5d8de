import { sql } from 'kysely'
import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import { createWebhookKeys } from '../../adapters/crypto/webhook-keys.ts'
import { createNotification } from '../../adapters/postgres/notification.ts'
import { dropEvent, eventsOf, given, roomy, tried } from '../ports/webhooks.ts'
import { createWorld } from './world.ts'

const world = await createWorld({ payerCount: 0 })
const { database, post, get, send } = world
const path = '/v1/webhooks/endpoints'
const notification = createNotification(database)
const keys = createWebhookKeys(world.ports.secrets)

let count = 0
async function registered(body: object = {}, as: 'wallet' | 'merchant' = 'wallet') {
  const answer = await post(path, { url: `https://shop.example/${count++}`, ...body }, { as })
  expect(answer.status).toBe(201)
  return answer.body
}
async function forget() {
  await sql`truncate webhook_endpoint, webhook_delivery`.execute(database)
}

describe('an endpoint', () => {
  test('is registered, read, changed, listed and deleted', async () => {
    await forget()
    const { id, ...created } = await registered({ states: ['finalized', 'failed'], url: 'https://shop.example/hook' })
    expect(created).toMatchObject({
      ...{ url: 'https://shop.example/hook', states: ['finalized', 'failed'], hmac: false },
      ...{ disabled: null, failingSince: null, formerSecretUntil: null },
    })
    expect((await get(`${path}/${id}`)).body).toMatchObject({ id, hmacSecret: null })
    const changed = await send('PATCH', `${path}/${id}`, { states: null, hmac: true })
    expect([changed.status, changed.body]).toMatchObject([200, { id, states: null, hmac: true, url: created.url }])
    expect((await get(path)).body).toEqual({ items: [changed.body], nextCursor: null })
    expect((await send('DELETE', `${path}/${id}`, undefined)).status).toBe(204)
    expect((await send('DELETE', `${path}/${id}`, undefined)).status).toBe(404)
    expect((await get(path)).body).toEqual({ items: [], nextCursor: null })
  })

  test('is one however often the request comes, also when its answer and its key were lost', async () => {
    await forget()
    const body = { url: 'https://shop.example/once', states: ['failed', 'held'] }
    const first = await post(path, body)
    const again = await post(path, { ...body, states: ['held', 'failed'] })
    expect([first.status, again.status, again.body]).toEqual([201, 201, first.body])
    const other = await post(path, { ...body, hmac: true })
    expect([other.status, other.body]).toMatchObject([
      409,
      { code: 'webhook_endpoint_exists', endpoint: first.body.id },
    ])
  })

  test('cannot take the URL of another one', async () => {
    await forget()
    const [one, two] = [await registered(), await registered()]
    const answer = await send('PATCH', `${path}/${two.id}`, { url: one.url })
    expect([answer.status, answer.body]).toMatchObject([409, { code: 'webhook_endpoint_exists', endpoint: one.id }])
  })

  test('is the tenth at most', async () => {
    await forget()
    const answers = await Promise.all(
      Array.from({ length: 14 }, (_, index) => post(path, { url: `https://shop.example/many/${index}` })),
    )
    expect(answers.map(({ status }) => status).toSorted()).toEqual([...Array(10).fill(201), ...Array(4).fill(409)])
    expect(answers.find(({ status }) => status === 409)?.body).toMatchObject({
      code: 'webhook_endpoints_full',
      countMax: 10,
    })
  })

  test('is nobody else’s to see or touch, in the same words as one that does not exist', async () => {
    await forget()
    const { id } = await registered({ hmac: true })
    const unknown = 'we_01k9v3kzs4fbgvq1m7h0c2d9ea'
    const before = await world.stored()
    const asking = [
      (name: string) => get(`${path}/${name}`, { as: 'merchant' }),
      (name: string) => send('PATCH', `${path}/${name}`, { hmac: false }, { as: 'merchant' }),
      (name: string) => send('DELETE', `${path}/${name}`, undefined, { as: 'merchant' }),
      ...['rotate-secret', 'enable', 'disable', 'test'].map(
        (verb) => (name: string) => post(`${path}/${name}/${verb}`, {}, { as: 'merchant' }),
      ),
    ]
    for (const ask of asking) {
      const answers = [await ask(id), await ask(unknown), await ask('nonsense')]
      expect(answers.map(({ status }) => status)).toEqual([404, 404, 404])
      expect(new Set(answers.map(({ body }) => JSON.stringify({ ...body, instance: '' }))).size).toBe(1)
    }
    expect(await world.stored()).toEqual(before)
    expect((await get(`${path}/${id}`)).body).toMatchObject({ hmac: true, disabled: null })
  })

  test.each([
    [{}, 400, 'invalid_request'],
    [{ url: 7 }, 400, 'invalid_request'],
    [{ url: 'https://a.example/', secret: 'mine' }, 400, 'invalid_request'],
    [{ url: 'https://a.example/', states: [] }, 400, 'invalid_request'],
    [{ url: 'https://a.example/', states: ['paid'] }, 400, 'invalid_request'],
    [{ url: 'https://a.example/', states: ['held', 'held'] }, 400, 'invalid_request'],
    [{ url: `https://a.example/${'x'.repeat(2_100)}` }, 400, 'invalid_request'],
    [{ url: 'https://a.example/\u0000' }, 400, 'invalid_request'],
    [{ url: 'http://a.example/' }, 422, 'webhook_url_invalid'],
    [{ url: 'http://127.0.0.1:8080/' }, 422, 'webhook_url_invalid'],
    [{ url: 'https://169.254.169.254/latest' }, 422, 'webhook_url_invalid'],
    [{ url: 'https://user:pass@a.example/' }, 422, 'webhook_url_invalid'],
    [{ url: 'nonsense' }, 422, 'webhook_url_invalid'],
  ])('%j is refused, and nothing is stored', async (body, status, code) => {
    const before = await world.stored()
    const answer = await post(path, body)
    expect([answer.status, answer.body.code]).toEqual([status, code])
    expect(await world.stored()).toEqual(before)
  })

  test('is changed by JSON only, and not by a broken one', async () => {
    await forget()
    const { id } = await registered()
    for (const [body, type, status] of [
      ['hmac=true', 'text/plain', 415],
      ['{"hmac":', 'application/json', 400],
      ['{"hmac":"yes"}', 'application/json', 400],
      ['{"url":"http://10.0.0.1/"}', 'application/json', 422],
    ] as const) {
      const answer = await send('PATCH', `${path}/${id}`, body, { headers: { 'content-type': type } })
      expect([body, answer.status]).toEqual([body, status])
    }
  })
})

describe('the HMAC secret', () => {
  test('is shown when the endpoint is read, and is in no table', async () => {
    await forget()
    const { id } = await registered({ hmac: true })
    const { hmacSecret } = (await get(`${path}/${id}`)).body
    const signed = keys.sign({
      ...{ id: 'wd_1', timestamp: Math.floor(Date.now() / 1000), body: '{}' },
      hmac: { endpointId: id, versions: [1] },
    })
    expect(new Webhook(hmacSecret).verify('{}', { ...signed })).toEqual({})
    expect((await post(`${path}/${id}/rotate-secret`, {})).status).toBe(200)
    const secrets: string[] = [hmacSecret, (await get(`${path}/${id}`)).body.hmacSecret]
    for (const table of ['webhook_endpoint', 'idempotency']) {
      const { rows } = await sql<{ text: string }>`select r::text as text from ${sql.table(table)} as r`.execute(
        database,
      )
      expect(rows.length).toBeGreaterThan(0)
      for (const { text } of rows) for (const secret of secrets) expect(text).not.toContain(secret.slice(6, 40))
    }
  })

  test('is rotated once per request, and says until when the one before signs too', async () => {
    await forget()
    const { id } = await registered({ hmac: true })
    const before = (await get(`${path}/${id}`)).body.hmacSecret
    const key = 'rotate-once-0123456789'
    const rotated = await post(`${path}/${id}/rotate-secret`, { overlapSeconds: 60 }, { key })
    await sql`delete from idempotency`.execute(database) // the answer was lost, and so was its key
    const again = await post(`${path}/${id}/rotate-secret`, { overlapSeconds: 60 }, { key })
    expect(again.body).toEqual(rotated.body)
    expect(Date.parse(rotated.body.formerSecretUntil) - Date.now()).toBeGreaterThan(50_000)
    expect((await get(`${path}/${id}`)).body.hmacSecret).toBe(keys.secretOf(id, 2))
    expect(keys.secretOf(id, 2)).not.toBe(before)
    for (const overlapSeconds of [-1, 604_801, 1.5, '60']) {
      expect((await post(`${path}/${id}/rotate-secret`, { overlapSeconds })).status).toBe(400)
    }
  })
})

describe('deliveries', () => {
  test('are listed page by page, the newest first, and only one’s own', async () => {
    await forget()
    const { id } = await registered()
    const theirs = await registered({}, 'merchant')
    const payment = await eventsOf(database, { appId: 'wallet', states: ['accepted', 'batched', 'submitted'] })
    await eventsOf(database, { appId: 'merchant', states: ['accepted'] })
    const first = (await get('/v1/webhooks/deliveries?limit=2')).body
    expect(first.items.map((each: { type: string }) => each.type)).toHaveLength(2)
    const second = (await get(`/v1/webhooks/deliveries?limit=2&cursor=${first.nextCursor}`)).body
    expect(second.nextCursor).toBeNull()
    const all = [...first.items, ...second.items]
    expect(all.map(({ sequence }) => sequence).toSorted()).toEqual([1, 2, 3])
    expect(all[0]).toMatchObject({ endpoint: id, intent: payment.id, state: 'open', attempts: 0, lastError: null })
    const listed = async (query: string) => (await get(`/v1/webhooks/deliveries?${query}`)).body.items.length
    expect(await listed(`endpoint=${id}&intent=${payment.id}&state=open`)).toBe(3)
    expect(await listed('state=dead')).toBe(0)
    expect(await listed(`endpoint=${theirs.id}`)).toBe(0)
    expect(await listed('intent=nonsense')).toBe(0)
  })

  test.each([
    'limit=0',
    'limit=101',
    'limit=ten',
    'limit=-1',
    'cursor=nonsense',
    `cursor=${Buffer.from('pi_01k9v3kzs4fbgvq1m7h0c2d9ea').toString('base64url')}`,
    'state=lost',
    'status=open',
  ])('are not listed by %s', async (query) => {
    const answer = await get(`/v1/webhooks/deliveries?${query}`)
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request'])
  })

  test('that are dead are replayed, also when the answer was lost; not those of others, not to what is deleted', async () => {
    await forget()
    const { id } = await registered()
    await eventsOf(database, { appId: 'wallet', states: ['accepted'] })
    const { deliveries } = await notification.claim(roomy)
    await notification.settle(deliveries.map((each) => tried(each, given)))
    const [dead] = (await get('/v1/webhooks/deliveries?state=dead')).body.items
    const replay = `/v1/webhooks/deliveries/${dead.id}/replay`
    const replayed = await post(replay, {})
    expect([replayed.status, replayed.body]).toMatchObject([201, { webhookId: dead.id, state: 'open' }])
    expect((await post(replay, {})).body).toEqual(replayed.body)
    expect((await post(replay, {}, { as: 'merchant' })).status).toBe(404)
    expect((await post('/v1/webhooks/deliveries/nonsense/replay', {})).status).toBe(404)
    const again = await notification.claim(roomy)
    await notification.settle(again.deliveries.map((each) => tried(each, given)))
    await send('DELETE', `${path}/${id}`, undefined)
    await notification.endOverdue()
    const late = await post(replay, {})
    expect([late.status, late.body.code]).toEqual([409, 'webhook_endpoint_deleted'])
    await dropEvent(database, { id: dead.intent }, 1)
    const lost = await post(replay, {})
    expect([lost.status, lost.body.code]).toEqual([409, 'webhook_event_gone'])
  })

  test('of a test event go the same way; a disabled endpoint gets none until it is enabled', async () => {
    await forget()
    const { id } = await registered()
    const answer = await post(`${path}/${id}/test`, {})
    expect([answer.status, answer.body]).toMatchObject([201, { type: 'webhook.test', intent: null, sequence: null }])
    expect((await post(`${path}/${id}/test`, {})).body.id).toBe(answer.body.id)
    expect((await post(`${path}/${id}/disable`, {})).body.disabled).toMatchObject({ reason: 'app' })
    const refusedOne = await post(`${path}/${id}/test`, {})
    expect([refusedOne.status, refusedOne.body]).toMatchObject([
      409,
      { code: 'webhook_endpoint_disabled', reason: 'app' },
    ])
    expect((await notification.claim(roomy)).deliveries).toEqual([])
    expect((await post(`${path}/${id}/enable`, {})).body.disabled).toBeNull()
    expect((await notification.claim(roomy)).deliveries).toMatchObject([
      { id: answer.body.id, event: { kind: 'test' } },
    ])
  })

  test('every POST needs its key', async () => {
    for (const each of [
      path,
      `${path}/x/test`,
      `${path}/x/enable`,
      `${path}/x/disable`,
      `${path}/x/rotate-secret`,
      '/v1/webhooks/deliveries/x/replay',
      '/v1/payees',
      '/v1/payees/prepare',
    ]) {
      const answer = await post(each, {}, { headers: { 'idempotency-key': '' } })
      expect([each, answer.body.code]).toEqual([each, 'idempotency_key_missing'])
    }
  })
})
