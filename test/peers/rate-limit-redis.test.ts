import { randomUUID } from 'node:crypto'
import { afterAll, describe, expect, test } from 'vitest'
import { createMemoryRateLimit } from '../../adapters/memory/rate-limit.ts'
import { createRedisRateLimit } from '../../adapters/redis/rate-limit.ts'
import type { RateLimit } from '../../core/ports/rate-limit.ts'
import { testRateLimit } from '../ports/rate-limit.suite.ts'
import { startRedis } from './redis-server.ts'

const redis = await startRedis()
const warned: string[] = []
const log = {
  debug: () => undefined,
  info: () => undefined,
  warn: (_: object, text: string) => void warned.push(text),
  error: () => undefined,
}
const open = (url = redis.url, clock = { nowMillis: Date.now }): RateLimit => {
  const rates = createRedisRateLimit({ url, fallback: createMemoryRateLimit(), log, clock })
  afterAll(rates.close)
  return rates
}
afterAll(redis.stop)
const policy = { name: 'shared', countMax: 3, windowSeconds: 60 }

/** The first counts of a new connection are its own process's. */
async function connected(rates: RateLimit): Promise<RateLimit> {
  for (;;) {
    const before = warned.length
    await rates.take({ ...policy, countMax: 1_000_000, name: 'connected' }, 'any')
    if (warned.length === before) return rates
    await new Promise((resolve) => setTimeout(resolve, 1_050))
  }
}

const shared = await connected(open())
testRateLimit('Redis', () => shared)

describe('with a Redis between them', () => {
  test('two processes allow together what one would', async () => {
    const other = await connected(open())
    const key = randomUUID()
    const counts = await Promise.all(
      Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? shared : other).take(policy, key)),
    )
    expect(counts.filter(({ isAllowed }) => isAllowed)).toHaveLength(3)
  })

  test('a Redis that is emptied begins anew and stops nobody', async () => {
    const key = randomUUID()
    for (let taken = 0; taken < 4; taken++) await shared.take(policy, key)
    await redis.flushAll()
    expect(await shared.take(policy, key)).toMatchObject({ isAllowed: true, remaining: 2 })
  })

  test('a Redis that is down refuses nobody below the limit of one process, and nobody gets above it', async () => {
    let now = 0
    const rates = await connected(open(redis.url, { nowMillis: () => (now += 2_000) }))
    await redis.kill()
    const key = randomUUID()
    const counts = []
    for (let taken = 0; taken < 5; taken++) counts.push(await rates.take(policy, key))
    expect(counts.map(({ isAllowed }) => isAllowed)).toEqual([true, true, true, false, false])
    expect(warned.at(-1)).toBe('Redis does not count requests; this process counts its own.')
    expect(await rates.peek(policy, key)).toMatchObject({ isAllowed: false })

    await redis.restart()
    await connected(rates)
    expect(await rates.take(policy, key)).toMatchObject({ isAllowed: true, remaining: 2 })
  })

  test('a Redis that is not there from the start counts in this process', async () => {
    const rates = open('redis://127.0.0.1:1')
    const key = randomUUID()
    expect(await rates.take(policy, key)).toMatchObject({ isAllowed: true, remaining: 2 })
    expect(await rates.take(policy, key)).toMatchObject({ isAllowed: true, remaining: 1 })
  })
})
