import { describe, expect, test } from 'vitest'
import { IceError, IceUnreachableError } from '../../sdk/errors.ts'
import { wait, waitMillisAfter } from '../../sdk/retry.ts'

const many = Array.from({ length: 200 })
const refused = (status: number, retryAfterSeconds?: number, retryable = true) =>
  new IceError(status, { code: 'overloaded', retryable }, retryAfterSeconds)
const unreachable = (status?: number) => new IceUnreachableError('no answer', { tries: 1, status })

describe('the wait before a next try', () => {
  test('is never shorter than Retry-After', () => {
    for (const _ of many) expect(waitMillisAfter(refused(503, 2), 1)).toBeGreaterThanOrEqual(2_000)
    expect(waitMillisAfter(refused(429, 30), 1)).toBe(30_000)
    expect(waitMillisAfter(refused(429, 31), 1)).toBeUndefined()
  })

  test('doubles its longest from try to try, up to 8 seconds, and is spread over all of it', () => {
    for (const [tries, millisMax] of [
      [1, 500],
      [2, 1_000],
      [5, 8_000],
      [20, 8_000],
    ] as const) {
      const waits = many.map(() => waitMillisAfter(refused(503), tries) ?? Number.NaN)
      expect(waits.every((millis) => millis >= 0 && millis <= millisMax)).toBe(true)
      expect(Math.max(...waits)).toBeGreaterThan(millisMax / 2)
      expect(Math.min(...waits)).toBeLessThan(millisMax / 2)
    }
  })

  test('is none for what the same request cannot change', () => {
    expect(waitMillisAfter(refused(503, 1, false), 1)).toBeUndefined()
    expect(waitMillisAfter(refused(422), 1)).toBeUndefined()
    for (const status of [200, 301, 400, 404, 500]) expect(waitMillisAfter(unreachable(status), 1)).toBeUndefined()
    for (const status of [undefined, 429, 502, 503, 504]) expect(waitMillisAfter(unreachable(status), 1)).toBeDefined()
  })

  test('ends with the reason of its signal, before and meanwhile', async () => {
    const reason = new Error('left')
    await expect(wait(60_000, AbortSignal.abort(reason))).rejects.toBe(reason)
    const abort = new AbortController()
    const waiting = wait(60_000, abort.signal)
    abort.abort(reason)
    await expect(waiting).rejects.toBe(reason)
  })
})
