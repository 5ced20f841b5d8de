import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { PrivateKeyAccount } from 'viem/accounts'
import { beforeAll, describe, expect, test } from 'vitest'
import { createApp } from '../../api/app.ts'
import { createWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld({ payerCount: 1 })
})
const order = (amount = '1000000') => ({
  ...{ chainId: world.chainId, payee: world.payee, token: world.token.address, amount, reference: 'r' },
})

/** What a crash leaves behind once the claim has run out: the effect without its answer. */
const forget = (key: string) => sql`delete from idempotency where key = ${key}`.execute(world.database)

describe('one key', () => {
  test('with the same body gets the same answer, marked as a replay', async () => {
    const key = randomUUID()
    const first = await world.post('/v1/orders', order(), { key })
    const second = await world.post('/v1/orders', order(), { key })
    expect([first.status, second.status, second.body]).toEqual([201, 201, first.body])
    expect([first.headers.get('idempotency-replayed'), second.headers.get('idempotency-replayed')]).toEqual([
      null,
      'true',
    ])
  })

  test('with another body or path is refused, and belongs to its app alone', async () => {
    const key = randomUUID()
    await world.post('/v1/orders', order(), { key })
    expect((await world.post('/v1/orders', order('1000001'), { key })).body.code).toBe('idempotency_key_reused')
    expect((await world.post('/v1/intents', order(), { key })).body.code).toBe('idempotency_key_reused')
    expect((await world.post('/v1/orders', order(), { key, as: 'merchant' })).status).toBe(201)
  })

  test('a hundred times at once has one effect and no 5xx', async () => {
    const key = randomUUID()
    const before = (await world.stored()) as { orders: number }
    const answers = await Promise.all(Array.from({ length: 100 }, () => world.post('/v1/orders', order(), { key })))
    expect((await world.stored()) as object).toMatchObject({ orders: before.orders + 1 })
    expect(answers.every(({ status }) => status === 201 || status === 409)).toBe(true)
    const refused = answers.find(({ status }) => status === 409)
    if (refused !== undefined) {
      expect(refused.body.code).toBe('idempotency_in_flight')
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    }
    expect((await world.post('/v1/orders', order(), { key })).status).toBe(201)
  })

  test('keeps a refusal that a retry cannot change', async () => {
    const key = randomUUID()
    const first = await world.post('/v1/orders', order('1'), { key })
    const second = await world.post('/v1/orders', order('1'), { key })
    expect([first.status, second.body, second.headers.get('idempotency-replayed')]).toEqual([422, first.body, 'true'])
    expect(second.headers.get('content-type')).toBe('application/problem+json')
  })

  test('is free again after a refusal that a retry can change', async () => {
    const payer = world.payers[0] as PrivateKeyAccount
    await world.depositFor(payer, 1_000_000n)
    const { chainId, payee, token } = world
    const terms = { chainId, payer: payer.address, payee, token: token.address, amount: '1000001' }
    const prepared = await world.post('/v1/intents/prepare', terms)
    const signed = await world.signed(payer, prepared.body)
    const key = randomUUID()
    expect((await world.post('/v1/intents', signed, { key })).body.code).toBe('insufficient_balance')
    const again = await world.post('/v1/intents', signed, { key })
    expect([again.body.code, again.headers.get('idempotency-replayed')]).toEqual(['insufficient_balance', null])
  })

  test('registers one order, also when the process dies between storing it and keeping the answer', async () => {
    const key = randomUUID()
    const first = await world.post('/v1/orders', order(), { key })
    const before = await world.stored()
    await forget(key)
    const again = await world.post('/v1/orders', order(), { key })
    expect([again.status, again.body, again.headers.get('idempotency-replayed')]).toEqual([201, first.body, null])
    await forget(key)
    world.offset.millis = 24 * 3600 * 1000
    const nextDay = await world.post('/v1/orders', order(), { key })
    world.offset.millis = 0
    expect([nextDay.status, nextDay.body.id]).toEqual([201, first.body.id])
    expect(await world.stored()).toEqual(before)
  })

  test('registers one order, also when the word that it is stored is lost on the way', async () => {
    const key = randomUUID()
    const lost = new Error('Connection terminated unexpectedly')
    const orders = {
      ...world.ports.orders,
      create: async (one: Parameters<typeof world.ports.orders.create>[0]) => {
        await world.ports.orders.create(one)
        throw lost
      },
      find: async () => undefined,
    }
    const app = createApp({ ...world.ports, orders })
    const response = await app.request('/v1/orders', {
      method: 'POST',
      body: JSON.stringify(order()),
      headers: {
        authorization: `Basic ${btoa('wallet:wallet-secret')}`,
        'content-type': 'application/json',
        'idempotency-key': key,
      },
    })
    expect(response.status).toBe(503)
    const before = await world.stored()
    expect((await world.post('/v1/orders', order(), { key })).status).toBe(201)
    expect(await world.stored()).toEqual(before)
  })

  test('registers one order when two processes work on it at once', async () => {
    const key = randomUUID()
    const before = (await world.stored()) as { orders: number }
    const idempotency = { ...world.ports.idempotency, begin: async () => [{ outcome: 'claimed' as const }] }
    const app = createApp({ ...world.ports, idempotency })
    const answers = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const response = await app.request('/v1/orders', {
          method: 'POST',
          body: JSON.stringify(order()),
          headers: {
            authorization: `Basic ${btoa('wallet:wallet-secret')}`,
            'content-type': 'application/json',
            'idempotency-key': key,
          },
        })
        return [response.status, ((await response.json()) as { id: string }).id]
      }),
    )
    expect(new Set(answers.map(String)).size).toBe(1)
    expect(answers[0]?.[0]).toBe(201)
    expect(await world.stored()).toMatchObject({ orders: before.orders + 1 })
  })

  test('registers an order of its own for each key, each app and each body', async () => {
    const key = randomUUID()
    const ids = [
      await world.post('/v1/orders', order(), { key }),
      await world.post('/v1/orders', order(), { key: randomUUID() }),
      await world.post('/v1/orders', order(), { key, as: 'merchant' }),
    ].map(({ body }) => body.id)
    await forget(key)
    ids.push((await world.post('/v1/orders', order('2000000'), { key })).body.id)
    expect(new Set(ids).size).toBe(4)
  })

  test('is free again after a fault, which says nothing of itself', async () => {
    const key = randomUUID()
    const orders = { ...world.ports.orders, create: () => Promise.reject(new Error('the secret of the fault')) }
    const app = createApp({ ...world.ports, orders })
    const response = await app.request('/v1/orders', {
      method: 'POST',
      body: JSON.stringify(order()),
      headers: {
        authorization: `Basic ${btoa('wallet:wallet-secret')}`,
        'content-type': 'application/json',
        'idempotency-key': key,
      },
    })
    const text = await response.text()
    expect([response.status, JSON.parse(text).code]).toEqual([500, 'internal'])
    expect(text).not.toContain('secret')
    expect((await world.post('/v1/orders', order(), { key })).status).toBe(201)
  })
})
