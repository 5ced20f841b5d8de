import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { RateLimit } from '../../core/ports/rate-limit.ts'

const policy = { name: 'test', countMax: 3, windowSeconds: 60 }

export function testRateLimit(name: string, open: () => RateLimit): void {
  const rates = open()

  describe(`rate limits in ${name}`, () => {
    test('counts several at once, and what is refused too', async () => {
      const key = randomUUID()
      expect(await rates.take(policy, key, policy.countMax - 1)).toMatchObject({ isAllowed: true, remaining: 1 })
      expect(await rates.take(policy, key, 2)).toMatchObject({ isAllowed: false, remaining: 0 })
      expect(await rates.take(policy, key)).toMatchObject({ isAllowed: false })
    })

    test('allow exactly as many as they say, and tell what is left', async () => {
      const key = randomUUID()
      const counts = []
      for (let taken = 0; taken < 5; taken++) counts.push(await rates.take(policy, key))
      expect(counts.map(({ isAllowed, remaining }) => [isAllowed, remaining])).toEqual([
        [true, 2],
        [true, 1],
        [true, 0],
        [false, 0],
        [false, 0],
      ])
      for (const { resetMillis } of counts) {
        expect(resetMillis).toBeGreaterThan(0)
        expect(resetMillis).toBeLessThanOrEqual(60_000)
      }
    })

    test('allow three of a hundred that come at once', async () => {
      const key = randomUUID()
      const counts = await Promise.all(Array.from({ length: 100 }, () => rates.take(policy, key)))
      expect(counts.filter(({ isAllowed }) => isAllowed)).toHaveLength(3)
    })

    test('are looked at without being used up', async () => {
      const key = randomUUID()
      for (let looks = 0; looks < 5; looks++) {
        expect(await rates.peek(policy, key)).toMatchObject({ isAllowed: true, remaining: 3 })
      }
      for (let taken = 0; taken < 3; taken++) await rates.take(policy, key)
      expect(await rates.peek(policy, key)).toMatchObject({ isAllowed: false, remaining: 0 })
    })

    test('keep keys and policies apart', async () => {
      const key = randomUUID()
      for (let taken = 0; taken < 3; taken++) await rates.take(policy, key)
      expect(await rates.take(policy, randomUUID())).toMatchObject({ isAllowed: true })
      expect(await rates.take({ ...policy, name: 'other' }, key)).toMatchObject({ isAllowed: true })
    })

    test('are whole again when their window is over', async () => {
      const short = { name: 'short', countMax: 1, windowSeconds: 1 }
      const key = randomUUID()
      expect(await rates.take(short, key)).toMatchObject({ isAllowed: true })
      const refused = await rates.take(short, key)
      expect(refused.isAllowed).toBe(false)
      while (!(await rates.peek(short, key)).isAllowed) await sleep(20)
      expect(await rates.take(short, key)).toMatchObject({ isAllowed: true, remaining: 0 })
    })
  })
}
