import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Idempotency } from '../../core/ports/idempotency.ts'

const sha256 = (text: string) => new Uint8Array(createHash('sha256').update(text).digest())
const request = (change: Partial<Parameters<Idempotency['begin']>[0]> = {}) => ({
  appId: 'app-a',
  key: randomUUID(),
  requestSha256: sha256('body'),
  lockSeconds: 30,
  ...change,
})

export function testIdempotency(name: string, idempotency: Idempotency): void {
  describe(`idempotency in ${name}`, () => {
    test('lets exactly one of 100 parallel requests work', async () => {
      const same = request()
      const claims = await Promise.all(Array.from({ length: 100 }, () => idempotency.begin(same)))
      expect(claims.filter(({ outcome }) => outcome === 'claimed')).toHaveLength(1)
      expect(claims.filter(({ outcome }) => outcome === 'in_flight')).toHaveLength(99)
    })

    test('says when to come back, within a few seconds', async () => {
      const same = request()
      await idempotency.begin(same)
      const claim = await idempotency.begin(same)
      expect(claim).toEqual({ outcome: 'in_flight', retryAfterSeconds: expect.any(Number) })
      expect(claim.outcome === 'in_flight' && claim.retryAfterSeconds >= 1).toBe(true)
    })

    test('replays the answer word for word', async () => {
      const same = request()
      await idempotency.begin(same)
      const body = '{"amount":"115792089237316195423570985008687907853269984665640564039457584007913129639935"}\n'
      await idempotency.finish({ ...same, status: 201, body })
      expect(await idempotency.begin(same)).toEqual({ outcome: 'replay', status: 201, body })
    })

    test('keeps the first answer when two worked on one key', async () => {
      const same = request()
      await idempotency.begin(same)
      await idempotency.finish({ ...same, status: 201, body: 'first' })
      await idempotency.finish({ ...same, status: 500, body: 'second' })
      expect(await idempotency.begin(same)).toEqual({ outcome: 'replay', status: 201, body: 'first' })
    })

    test('refuses the key for another body, before and after the answer and after the lock', async () => {
      const first = request({ lockSeconds: 0 })
      const other = { ...first, requestSha256: sha256('another body') }
      await idempotency.begin(first)
      await sleep(20)
      expect(await idempotency.begin(other)).toEqual({ outcome: 'reused' })
      await idempotency.finish({ ...first, status: 200, body: '' })
      expect(await idempotency.begin(other)).toEqual({ outcome: 'reused' })
    })

    test('keeps the keys of two apps apart', async () => {
      const first = request()
      await idempotency.begin(first)
      expect(await idempotency.begin({ ...first, appId: 'app-b' })).toEqual({ outcome: 'claimed' })
    })

    test('lets exactly one of 50 take over a claim whose lock has run out', async () => {
      const dead = request({ lockSeconds: 0 })
      await idempotency.begin(dead)
      await sleep(20)
      const claims = await Promise.all(
        Array.from({ length: 50 }, () => idempotency.begin({ ...dead, lockSeconds: 30 })),
      )
      expect(claims.filter(({ outcome }) => outcome === 'claimed')).toHaveLength(1)
    })

    test('gives a released key back, but never an answered one', async () => {
      const same = request()
      await idempotency.begin(same)
      await idempotency.release(same)
      expect(await idempotency.begin(same)).toEqual({ outcome: 'claimed' })
      await idempotency.finish({ ...same, status: 200, body: 'kept' })
      await idempotency.release(same)
      expect(await idempotency.begin(same)).toEqual({ outcome: 'replay', status: 200, body: 'kept' })
    })

    test('claims and releases racing each other end in claims, not in errors', async () => {
      const same = request()
      await Promise.all(
        Array.from({ length: 60 }, async (_, index) => {
          await (index % 3 === 0 ? idempotency.release(same) : idempotency.begin(same))
        }),
      )
      await idempotency.release(same)
      expect(await idempotency.begin(same)).toEqual({ outcome: 'claimed' })
    })

    test('refuses to forget what is younger than 24 hours', async () => {
      await expect(idempotency.forget(23.99)).rejects.toThrow(RangeError)
      await expect(idempotency.forget(Number.NaN)).rejects.toThrow(RangeError)
      const same = request()
      await idempotency.begin(same)
      await idempotency.finish({ ...same, status: 200, body: '' })
      expect(await idempotency.forget(24)).toBe(0)
      expect(await idempotency.begin(same)).toMatchObject({ outcome: 'replay' })
    })
  })
}
