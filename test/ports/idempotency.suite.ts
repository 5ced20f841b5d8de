import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Idempotency, IdempotencyClaim, IdempotentRequest } from '../../core/ports/idempotency.ts'

const sha256 = (text: string) => new Uint8Array(createHash('sha256').update(text).digest())
const request = (change: Partial<IdempotentRequest> = {}): IdempotentRequest => ({
  appId: 'app-a',
  key: randomUUID(),
  requestSha256: sha256('body'),
  lockSeconds: 30,
  ...change,
})

export function testIdempotency(name: string, idempotency: Idempotency): void {
  const begin = async (each: IdempotentRequest): Promise<IdempotencyClaim> => {
    const [claim] = await idempotency.begin([each])
    if (claim === undefined) throw new Error('a request without a decision')
    return claim
  }

  describe(`idempotency in ${name}`, () => {
    test('lets exactly one of 100 parallel requests work', async () => {
      const same = request()
      const claims = await Promise.all(Array.from({ length: 100 }, () => begin(same)))
      expect(claims.filter(({ outcome }) => outcome === 'claimed')).toHaveLength(1)
      expect(claims.filter(({ outcome }) => outcome === 'in_flight')).toHaveLength(99)
    })

    test('says when to come back, within a few seconds', async () => {
      const same = request()
      await begin(same)
      const claim = await begin(same)
      expect(claim).toEqual({ outcome: 'in_flight', retryAfterSeconds: expect.any(Number) })
      expect(claim.outcome === 'in_flight' && claim.retryAfterSeconds >= 1).toBe(true)
    })

    test('replays the answer word for word', async () => {
      const same = request()
      await begin(same)
      const body = '{"amount":"115792089237316195423570985008687907853269984665640564039457584007913129639935"}\n'
      await idempotency.finish([{ ...same, status: 201, body }])
      expect(await begin(same)).toEqual({ outcome: 'replay', status: 201, body })
    })

    test('keeps the first answer when two worked on one key', async () => {
      const same = request()
      await begin(same)
      await idempotency.finish([{ ...same, status: 201, body: 'first' }])
      await idempotency.finish([{ ...same, status: 500, body: 'second' }])
      expect(await begin(same)).toEqual({ outcome: 'replay', status: 201, body: 'first' })
    })

    test('refuses the key for another body, before and after the answer and after the lock', async () => {
      const first = request({ lockSeconds: 0 })
      const other = { ...first, requestSha256: sha256('another body') }
      await begin(first)
      await sleep(20)
      expect(await begin(other)).toEqual({ outcome: 'reused' })
      await idempotency.finish([{ ...first, status: 200, body: '' }])
      expect(await begin(other)).toEqual({ outcome: 'reused' })
    })

    test('keeps the keys of two apps apart', async () => {
      const first = request()
      await begin(first)
      expect(await begin({ ...first, appId: 'app-b' })).toEqual({ outcome: 'claimed' })
    })

    test('lets exactly one of 50 take over a claim whose lock has run out', async () => {
      const dead = request({ lockSeconds: 0 })
      await begin(dead)
      await sleep(20)
      const claims = await Promise.all(Array.from({ length: 50 }, () => begin({ ...dead, lockSeconds: 30 })))
      expect(claims.filter(({ outcome }) => outcome === 'claimed')).toHaveLength(1)
    })

    test('decides a set in its order: of one key twice, the first claims it', async () => {
      const [known, fresh] = [request(), request()]
      await begin(known)
      await idempotency.finish([{ ...known, status: 200, body: 'kept' }])
      const other = { ...fresh, requestSha256: sha256('another body') }
      const claims = await idempotency.begin([fresh, known, other, { ...fresh }, request()])
      expect(claims.map(({ outcome }) => outcome)).toEqual(['claimed', 'replay', 'reused', 'in_flight', 'claimed'])
    })

    test('keeps a set of answers, each for its key', async () => {
      const set = Array.from({ length: 300 }, () => request())
      expect((await idempotency.begin(set)).every(({ outcome }) => outcome === 'claimed')).toBe(true)
      await idempotency.finish(set.map(({ appId, key }, index) => ({ appId, key, status: 201, body: `${index}` })))
      const replays = await idempotency.begin(set)
      expect(replays).toEqual(set.map((_, index) => ({ outcome: 'replay', status: 201, body: `${index}` })))
    })

    test('sets with the same keys in opposite order do not wait for each other in a circle', async () => {
      const set = Array.from({ length: 100 }, () => request())
      const rounds = await Promise.all(
        Array.from({ length: 8 }, (_, round) => idempotency.begin(round % 2 === 0 ? set : set.toReversed())),
      )
      expect(rounds.flat().filter(({ outcome }) => outcome === 'claimed')).toHaveLength(set.length)
    })

    test('gives a released key back, but never an answered one', async () => {
      const same = request()
      await begin(same)
      await idempotency.release(same)
      expect(await begin(same)).toEqual({ outcome: 'claimed' })
      await idempotency.finish([{ ...same, status: 200, body: 'kept' }])
      await idempotency.release(same)
      expect(await begin(same)).toEqual({ outcome: 'replay', status: 200, body: 'kept' })
    })

    test('claims and releases racing each other end in claims, not in errors', async () => {
      const same = request()
      await Promise.all(
        Array.from({ length: 60 }, async (_, index) => {
          await (index % 3 === 0 ? idempotency.release(same) : begin(same))
        }),
      )
      await idempotency.release(same)
      expect(await begin(same)).toEqual({ outcome: 'claimed' })
    })

    test('refuses to forget what is younger than 24 hours', async () => {
      await expect(idempotency.forget(23.99)).rejects.toThrow(RangeError)
      await expect(idempotency.forget(Number.NaN)).rejects.toThrow(RangeError)
      const same = request()
      await begin(same)
      await idempotency.finish([{ ...same, status: 200, body: '' }])
      expect(await idempotency.forget(24)).toBe(0)
      expect(await begin(same)).toMatchObject({ outcome: 'replay' })
    })
  })
}
