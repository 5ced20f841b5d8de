import { createHash } from 'node:crypto'
import { Hono } from 'hono'
import { expect, test } from 'vitest'
import { authenticate } from '../../api/middleware/authenticate.ts'
import type { App } from '../../core/ports/apps.ts'

const secretSha256 = createHash('sha256').update('secret').digest()
const shop: App = { id: 'shop', name: 'Shop', role: 'app', secretSha256 }

/** Apps that count how often each AppID was asked for. */
function world() {
  const asked: string[] = []
  const clock = { now: 1_000_000, nowMillis: () => clock.now }
  const registered = new Map([[shop.id, shop]])
  const find = async (id: string) => {
    asked.push(id)
    return registered.get(id)
  }
  const api = new Hono().use(authenticate({ apps: { find, put: async () => undefined }, clock }) as never)
  api.get('/', (c) => c.text('in'))
  api.onError((error, c) => c.text(error.message, 401))
  const as = async (id: string, secret = 'secret') => {
    const response = await api.request('/', {
      headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
    })
    return `${response.status} ${await response.text()}`
  }
  return { asked, clock, registered, as }
}

test('ten thousand made-up AppIDs make nobody’s app forgotten', async () => {
  const { asked, as } = world()
  expect(await as('shop')).toBe('200 in')
  for (let guess = 0; guess < 10_050; guess++) await as(`guess-${guess}`)
  expect(await as('shop')).toBe('200 in')
  expect(asked.filter((id) => id === 'shop')).toHaveLength(1)
})

test('a stranger costs one question in two seconds, and can log in soon after it is registered', async () => {
  const { asked, as, clock, registered } = world()
  for (let count = 0; count < 5; count++) expect(await as('late')).toMatch(/^401/)
  expect(asked).toEqual(['late'])
  registered.set('late', { ...shop, id: 'late' })
  clock.now += 1_999
  expect(await as('late')).toMatch(/^401/)
  clock.now += 1
  expect(await as('late')).toBe('200 in')
})

test('an app is asked for again after five seconds, and is out when it is gone', async () => {
  const { asked, as, clock, registered } = world()
  await Promise.all([as('shop'), as('shop'), as('shop')])
  expect(asked).toEqual(['shop'])
  registered.clear()
  clock.now += 4_999
  expect(await as('shop')).toBe('200 in')
  clock.now += 1
  expect(await as('shop')).toMatch(/^401/)
})

test.each(['nul\u0000', '\u0000', 'spaced out', 'üñï', '\u{1f511}', 'x'.repeat(129)])(
  'nobody is asked for an AppID that none can be: %j',
  async (id) => {
    const { asked, as } = world()
    expect(await as(id)).toBe(await as('nobody'))
    expect(asked).toEqual(['nobody'])
  },
)
