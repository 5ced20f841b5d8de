import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { sql } from 'kysely'
import { Webhook } from 'standardwebhooks'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createSecrets } from '../../adapters/crypto/secrets.ts'
import { createWebhookKeys } from '../../adapters/crypto/webhook-keys.ts'
import { createPost } from '../../adapters/http/post.ts'
import { createNotification } from '../../adapters/postgres/notification.ts'
import type { Notification } from '../../core/ports/notification.ts'
import { type Couriers, type CourierWiring, startCouriers } from '../../relayer/couriers.ts'
import { freshDatabase } from '../ports/postgres-server.ts'
import { startReceiver } from '../ports/receiver.ts'
import { addEvent, endpointOf, eventsOf, hurry, webhooksOn } from '../ports/webhooks.ts'

const { database, connect, url: databaseUrl } = await freshDatabase()
const { deliveries, endpoints } = webhooksOn(database)
const keys = createWebhookKeys(createSecrets([`0x${'5e'.repeat(32)}`]))
const silent = (): void => undefined
const log = { debug: silent, info: silent, warn: silent, error: silent }

const running: Couriers[] = []
beforeEach(async () => {
  await sql`truncate webhook_endpoint, webhook_delivery`.execute(database)
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((couriers) => couriers.stop()))
})

/** Couriers on a pool of their own, as another process would have. */
function couriersWith({
  notification = {},
  ...change
}: Partial<Omit<CourierWiring, 'notification'>> & { notification?: Partial<Notification> } = {}): Couriers {
  const couriers = startCouriers({
    post: createPost({ allowsLoopback: true, limits: { headersMillisMax: 2_000, totalMillisMax: 3_000 } }),
    keys,
    clock: { nowMillis: () => Date.now() },
    chance: () => 0.5,
    log,
    ...change,
    limits: { stopMillisMax: 50, storePauseMillis: 20, ...change.limits },
    notification: { ...createNotification(connect()), ...notification },
  })
  running.push(couriers)
  return couriers
}

const statesOf = async (appId: string) =>
  (
    await deliveries.list({
      appId,
      endpointId: undefined,
      intentId: undefined,
      state: undefined,
      before: undefined,
      countMax: 100,
    })
  ).map(({ state }) => state)
const bodyOf = (body: string) => JSON.parse(body) as { type: string; data: { intent: string; sequence: number } }

describe('a webhook', () => {
  test('arrives signed with both schemes, in order, a test event too', async () => {
    const { url, received } = await startReceiver((_, response) => response.writeHead(204).end())
    const { id } = await endpointOf(database, { appId: 'a', url, hasHmac: true })
    const payment = await eventsOf(database, { appId: 'a', states: ['accepted', 'batched', 'submitted'] })
    await couriersWith().sendDue()
    await expect.poll(() => received.length).toBe(3)
    expect(received.map(({ body }) => bodyOf(body).data.sequence)).toEqual([1, 2, 3])
    for (const { body, headers } of received) {
      expect(bodyOf(body).data).toMatchObject({ endpoint: id, app: 'a', intent: payment.id })
      expect(headers['webhook-signature']).toMatch(/^v1a,\S+ v1,\S+$/)
      new Webhook(keys.secretOf(id, 1)).verify(body, headers as Record<string, string>)
    }
    await deliveries.test('a', id)
    await running[0]?.sendDue()
    await expect.poll(() => received.length).toBe(4)
    expect(bodyOf(received[3]?.body ?? '')).toMatchObject({ type: 'webhook.test', data: { endpoint: id, app: 'a' } })
    await expect.poll(() => statesOf('a')).toEqual(['delivered', 'delivered', 'delivered', 'delivered'])
  })

  test('that is tried again has the same id and bytes, and a fresh timestamp and signature', async () => {
    let offsetMillis = 0
    const { url, received } = await startReceiver((_, response) =>
      response.writeHead(received.length === 1 ? 500 : 200).end(),
    )
    await endpointOf(database, { appId: 'a', url })
    await eventsOf(database, { appId: 'a', states: ['accepted'] })
    const couriers = couriersWith({ clock: { nowMillis: () => Date.now() + offsetMillis } })
    await couriers.sendDue()
    await expect.poll(() => statesOf('a')).toEqual(['open'])
    await expect.poll(async () => (await endpoints.list('a'))[0]?.failingSinceMillis).toBeDefined()
    offsetMillis = 5_000
    await hurry(database)
    await couriers.sendDue()
    await expect.poll(() => statesOf('a')).toEqual(['delivered'])
    const [first, second] = received
    expect(second?.body).toBe(first?.body)
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id'])
    expect(Number(second?.headers['webhook-timestamp'])).toBeGreaterThan(Number(first?.headers['webhook-timestamp']))
    expect(second?.headers['webhook-signature']).not.toBe(first?.headers['webhook-signature'])
  })

  test('that a redirect leads elsewhere is not taken and does not go there', async () => {
    const elsewhere = await startReceiver((_, response) => response.end())
    const { url } = await startReceiver((_, response) => response.writeHead(308, { location: elsewhere.url }).end())
    await endpointOf(database, { appId: 'a', url })
    await eventsOf(database, { appId: 'a', states: ['accepted'] })
    await couriersWith().sendDue()
    const ofA = {
      appId: 'a',
      endpointId: undefined,
      intentId: undefined,
      state: undefined,
      before: undefined,
      countMax: 9,
    }
    await expect.poll(() => deliveries.list(ofA)).toMatchObject([{ state: 'open', lastError: 'http_308' }])
    expect(elsewhere.received).toEqual([])
  })
})

describe('an endpoint that hangs', () => {
  test('delays no other endpoint and no round: the others are told while it keeps silent', async () => {
    const hanging = await startReceiver(() => undefined)
    const { url, received } = await startReceiver((_, response) => response.end())
    await endpointOf(database, { appId: 'bad', url: hanging.url })
    await endpointOf(database, { appId: 'good', url })
    for (let count = 0; count < 20; count++) await eventsOf(database, { appId: 'bad', states: ['accepted'] })
    for (let count = 0; count < 20; count++) await eventsOf(database, { appId: 'good', states: ['accepted'] })
    let answered = 0
    const post = createPost({ allowsLoopback: true, limits: { headersMillisMax: 600_000, totalMillisMax: 600_000 } })
    const couriers = couriersWith({
      post: {
        send: async (request) => {
          const posted = await post.send(request)
          if (request.url === hanging.url) answered++
          return posted
        },
        close: post.close,
      },
    })
    await couriers.sendDue()
    await expect.poll(() => received.length).toBe(20)
    await expect.poll(() => statesOf('good')).toEqual(Array(20).fill('delivered'))
    // It still has its share of posts under way, no more, and has answered none.
    expect(hanging.received).toHaveLength(16)
    expect(answered).toBe(0)
    await eventsOf(database, { appId: 'good', states: ['accepted'] })
    await couriers.sendDue()
    await expect.poll(() => received.length).toBe(21)
  })

  test('without failing, and many such that fill all room, give the first place they leave to one that is quick', async () => {
    const held: (() => void)[] = []
    const slow = await startReceiver((_, response) => held.push(() => response.end()))
    const { url, received } = await startReceiver((_, response) => response.end())
    for (const appId of ['s1', 's2', 's3', 's4', 's5']) {
      await endpointOf(database, { appId, url: slow.url + appId })
      for (let count = 0; count < 4; count++) await eventsOf(database, { appId, states: ['accepted'] })
    }
    // 5 × 2 wish for 8 places.
    const couriers = couriersWith({ limits: { countMax: 8, perEndpointMax: 2 } })
    await couriers.sendDue()
    await expect.poll(() => slow.received.length).toBe(8)
    await endpointOf(database, { appId: 'good', url })
    for (let count = 0; count < 5; count++) await eventsOf(database, { appId: 'good', states: ['accepted'] })
    held[0]?.()
    await expect.poll(() => received.length).toBe(5)
    for (const release of held) release()
  })

  test('that has failed before gets two probes, and many such leave room for those that work', async () => {
    const hanging = await startReceiver(() => undefined)
    const { url, received } = await startReceiver((_, response) => response.end())
    for (const path of ['1', '2', '3', '4']) await endpointOf(database, { appId: 'bad', url: hanging.url + path })
    await sql`update webhook_endpoint set failing_since = now()`.execute(database)
    for (let count = 0; count < 5; count++) await eventsOf(database, { appId: 'bad', states: ['accepted'] })
    const couriers = couriersWith({ limits: { countMax: 8, failingCountMax: 6 } })
    await couriers.sendDue()
    await expect.poll(() => hanging.received.length).toBe(6)
    await endpointOf(database, { appId: 'good', url })
    for (let count = 0; count < 5; count++) await eventsOf(database, { appId: 'good', states: ['accepted'] })
    await couriers.sendDue()
    await expect.poll(() => received.length).toBe(5)
    expect(hanging.received).toHaveLength(6)
  })
})

describe('a process that dies', () => {
  test('by SIGKILL after its post and before it stored the answer: another posts again, with the same id', async () => {
    let child: ReturnType<typeof spawn> | undefined
    const { url, received } = await startReceiver((_, response) => {
      if (received.length === 1) child?.kill('SIGKILL')
      else response.writeHead(200).end()
    })
    await endpointOf(database, { appId: 'a', url })
    await eventsOf(database, { appId: 'a', states: ['accepted'] })
    const entry = fileURLToPath(new URL('./courier-process.ts', import.meta.url))
    child = spawn(process.execPath, [entry, databaseUrl, '500'], { stdio: 'inherit' })
    const [, signal] = await once(child, 'exit')
    expect(signal).toBe('SIGKILL')
    expect(received).toHaveLength(1)
    const couriers = couriersWith()
    await expect
      .poll(async () => {
        await couriers.sendDue()
        return statesOf('a')
      })
      .toEqual(['delivered'])
    expect(received).toHaveLength(2)
    expect(received[1]?.headers['webhook-id']).toBe(received[0]?.headers['webhook-id'])
    expect(received[1]?.body).toBe(received[0]?.body)
  })

  test('in a clean stop lets posts come to their end, and begins none', async () => {
    const { url, received } = await startReceiver((_, response) => setTimeout(() => response.end(), 100))
    await endpointOf(database, { appId: 'a', url })
    await eventsOf(database, { appId: 'a', states: ['accepted', 'batched'] })
    const couriers = couriersWith({ limits: { stopMillisMax: 10_000 } })
    await couriers.sendDue()
    await couriers.stop()
    expect(await statesOf('a')).toEqual(['open', 'delivered'])
    await couriers.sendDue()
    expect(received).toHaveLength(1)
  })
})

test('a database that is away for a moment costs no second post', async () => {
  const { url, received } = await startReceiver((_, response) => response.end())
  await endpointOf(database, { appId: 'a', url })
  await eventsOf(database, { appId: 'a', states: ['accepted'] })
  const real = createNotification(database)
  let failures = 0
  const couriers = couriersWith({
    notification: {
      settle: async (tried) => {
        if (failures++ < 3) throw new Error('away')
        await real.settle(tried)
      },
    },
  })
  await couriers.sendDue()
  await expect.poll(() => statesOf('a')).toEqual(['delivered'])
  expect([failures, received.length]).toEqual([4, 1])
})

test('results of many posts are stored together', async () => {
  const { url } = await startReceiver((_, response) => response.end())
  await endpointOf(database, { appId: 'a', url })
  for (let count = 0; count < 60; count++) await eventsOf(database, { appId: 'a', states: ['accepted'] })
  const real = createNotification(database)
  const sets: number[] = []
  const couriers = couriersWith({
    notification: {
      settle: async (tried) => {
        sets.push(tried.length)
        await real.settle(tried)
      },
    },
  })
  await couriers.sendDue()
  await expect.poll(() => statesOf('a')).toEqual(Array(60).fill('delivered'))
  expect(sets.reduce((sum, count) => sum + count, 0)).toBe(60)
  expect(sets.length).toBeLessThan(60)
})

type Fault = 'ok' | 'refuse' | 'reset' | 'late'

test('whatever fails, an endpoint meets the changes of a payment in order, and meets all of them', {
  timeout: 120_000,
}, async () => {
  const fault = fc.constantFrom<Fault>('ok', 'ok', 'refuse', 'reset', 'late')
  await fc.assert(
    fc.asyncProperty(fc.array(fault, { minLength: 40, maxLength: 40 }), async (faults) => {
      await sql`truncate webhook_endpoint, webhook_delivery`.execute(database)
      const taken = new Map<string, Set<number>>()
      const early: string[] = []
      let posts = 0
      const { url } = await startReceiver(({ body, path }, response) => {
        const { intent, sequence } = bodyOf(body).data
        const pair = `${path} ${intent}`
        const before = taken.get(pair) ?? new Set()
        taken.set(pair, before)
        for (let lower = 1; lower < sequence; lower++)
          if (!before.has(lower)) early.push(`${pair} ${sequence} before ${lower}`)
        const next = faults[posts++] ?? 'ok'
        if (next === 'refuse') response.writeHead(500).end()
        else if (next === 'reset') response.socket?.resetAndDestroy()
        else {
          before.add(sequence)
          if (next === 'late') setTimeout(() => response.end(), 30)
          else response.end()
        }
      })
      await endpointOf(database, { appId: 'a', url: `${url}one` })
      await endpointOf(database, { appId: 'a', url: `${url}two` })
      const couriers = [couriersWith(), couriersWith()]
      const payments = await Promise.all([1, 2, 3].map(() => eventsOf(database, { appId: 'a', states: ['accepted'] })))
      const rest = ['batched', 'submitted', 'included', 'finalized']
      for (const [index, state] of rest.entries()) {
        await Promise.all(couriers.map((each) => each.sendDue()))
        for (const payment of payments) await addEvent(database, payment, index + 2, state)
      }
      const deadline = Date.now() + 20_000
      while ((await statesOf('a')).some((state) => state === 'open') && Date.now() < deadline) {
        await hurry(database)
        await Promise.all(couriers.map((each) => each.sendDue()))
        await sleep(5)
      }
      await Promise.all(couriers.map((each) => each.stop()))
      expect(early).toEqual([])
      expect([...taken.values()].map((sequences) => [...sequences].toSorted())).toEqual(Array(6).fill([1, 2, 3, 4, 5]))
    }),
    { numRuns: 8 },
  )
})
