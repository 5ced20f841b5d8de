import { createHash } from 'node:crypto'
import { Hono } from 'hono'
import { expect, test } from 'vitest'
import { createMemoryRateLimit } from '../../adapters/memory/rate-limit.ts'
import { limitsDefault } from '../../api/limits.ts'
import { authenticate } from '../../api/middleware/authenticate.ts'
import { RelayError } from '../../core/errors.ts'
import type { App } from '../../core/ports/apps.ts'

const secretSha256 = createHash('sha256').update('secret').digest()
const shop: App = { id: 'shop', name: 'Shop', role: 'app', secretSha256 }

/** Apps that count how often each AppID was asked for. */
function world({ failedLoginsMax = 1_000_000, proxyHops = 0 } = {}) {
  const asked: string[] = []
  const clock = { now: 1_000_000, nowMillis: () => clock.now }
  const registered = new Map([[shop.id, shop]])
  const find = async (id: string) => {
    asked.push(id)
    return registered.get(id)
  }
  const limits = { ...limitsDefault, failedLoginsMax, proxyHops }
  const rateLimit = createMemoryRateLimit()
  const apps = { find, put: async () => undefined }
  const api = new Hono().use(authenticate({ apps, clock, rateLimit, limits }) as never)
  api.get('/', (c) => c.text('in'))
  api.onError((error, c) => c.text(error.message, error instanceof RelayError && error.status === 429 ? 429 : 401))
  const as = async (id: string, secret = 'secret', headers = {}) => {
    const response = await api.request('/', {
      headers: {
        ...headers,
        authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
      },
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

test('the hundred-and-first guess from one address is refused unasked', async () => {
  const { asked, as } = world({ failedLoginsMax: 100 })
  for (let guess = 0; guess < 100; guess++) expect(await as(`guess-${guess}`)).toMatch(/^401/)
  expect(await as('guess-100')).toMatch(/^429 This address has failed to log in 100 in 60 s/)
  expect(asked).toHaveLength(100)
})

test('an app that is known goes on behind an address from which others guess, and one that is not known waits', async () => {
  const { as, clock, registered } = world({ failedLoginsMax: 3 })
  registered.set('other', { ...shop, id: 'other' })
  expect(await as('shop')).toBe('200 in')
  for (let guess = 0; guess < 3; guess++) await as(`guess-${guess}`)
  clock.now += 5_000
  expect(await as('shop')).toBe('200 in')
  expect(await as('shop', 'wrong')).toMatch(/^401/)
  expect(await as('other')).toMatch(/^429/)
})

test.each([
  [0, '9.9.9.9', '9.9.9.8', 429],
  [1, 'made-up, 9.9.9.9', 'made-up, 9.9.9.8', 401],
  [1, '9.9.9.7, 9.9.9.9', '9.9.9.6, 9.9.9.9', 429],
  [2, '9.9.9.9, 10.0.0.1', '9.9.9.8, 10.0.0.1', 401],
  [1, '2001:db8:1:2::1', '2001:db8:1:2:ffff::9', 429],
  [1, '2001:db8:1:2::1', '2001:db8:1:3::1', 401],
  [1, '::ffff:9.9.9.9', '9.9.9.9', 429],
  [1, 'no address', '', 429],
])(
  'behind %i proxies, %j is told from %j with a second guess answered by %i',
  async (proxyHops, first, second, status) => {
    const { as } = world({ failedLoginsMax: 1, proxyHops })
    expect(await as('guess-1', 'x', { 'x-forwarded-for': first })).toMatch(/^401/)
    expect(await as('guess-2', 'x', { 'x-forwarded-for': second })).toMatch(new RegExp(`^${status}`))
  },
)
