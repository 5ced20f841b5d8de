import { createHash } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { RelayError } from '../../core/errors.ts'
import type { IdempotentAnswer, IdempotentRequest } from '../../core/ports/idempotency.ts'
import type { ApiEnv } from '../environment.ts'
import { type GroupCommit, groupCommit } from '../group-commit.ts'
import { outageOf } from '../outage.ts'
import type { ApiPorts } from '../ports.ts'

const keyPattern = /^[\x21-\x7e]{16,128}$/
/** A claim whose process died is taken over after this. */
const lockSeconds = 60

/**
 * One effect and one answer per (app, key). An answer is kept unless trying again may help: 5xx and retryable refusals
 * give the key back, also one such refusal among many items. Whatever runs behind this is itself safe to repeat, so a lost answer never doubles an effect.
 */
export function idempotent({ idempotency, log }: Pick<ApiPorts, 'idempotency' | 'log'>): MiddlewareHandler<ApiEnv> {
  const isOutage = (error: unknown): boolean => outageOf(error) !== undefined
  const begins = groupCommit({
    items: 'requests',
    isOutage,
    commit: (requests: readonly IdempotentRequest[]) => idempotency.begin(requests),
  })
  const finishes = groupCommit({
    items: 'answers',
    isOutage,
    commit: async (answers: readonly IdempotentAnswer[]) => {
      await idempotency.finish(answers)
      return answers
    },
  })

  return async (c, next) => {
    const claim = { appId: c.get('app').id, key: readKey(c.req.header('idempotency-key')) }
    const body = new Uint8Array(await c.req.arrayBuffer())
    const { pathname, search } = new URL(c.req.url)
    const requestSha256 = createHash('sha256').update(`${c.req.method} ${pathname}${search}\n`).update(body).digest()

    const about = `${claim.appId}\n${claim.key}\n`
    c.set('requestSha256', createHash('sha256').update(about).update(requestSha256).digest())

    const begun = await one(begins, { ...claim, requestSha256, lockSeconds })
    if (begun.outcome === 'replay') return replay(begun)
    if (begun.outcome === 'reused') {
      throw new RelayError('idempotency_key_reused', 'The first request with this key had another path or body.')
    }
    if (begun.outcome === 'in_flight') {
      throw new RelayError('idempotency_in_flight', 'The first request with this key has not been answered yet.', {
        fields: { retryAfterSeconds: begun.retryAfterSeconds },
      })
    }

    // Errors of routes are answered before this returns, so there is always an answer to judge.
    await next()
    const isKept = c.res.status < 500 && c.get('isRetryable') !== true
    try {
      if (isKept) await one(finishes, { ...claim, status: c.res.status, body: await c.res.clone().text() })
      else await idempotency.release(claim)
    } catch (error) {
      // The answer is true all the same; a retry repeats the work after `lockSeconds`, and that work is safe to repeat.
      log.warn({ requestId: c.get('requestId'), err: error }, 'An answer could not be kept for its key.')
    }
    return undefined
  }
}

/** Together with what others bring at the same moment. */
async function one<Item, Result>(commits: GroupCommit<Item, Result>, item: Item): Promise<Result> {
  const [settled] = await commits.submit([item])
  if (settled?.status === 'fulfilled') return settled.value
  throw settled?.reason
}

function readKey(header: string | undefined): string {
  if (header === undefined || header === '') {
    throw new RelayError('idempotency_key_missing', 'A POST needs the header Idempotency-Key.')
  }
  if (keyPattern.test(header)) return header
  const message = '16 to 128 visible ASCII characters'
  throw new RelayError('invalid_request', `Idempotency-Key: ${message}`, {
    fields: { errors: [{ path: 'Idempotency-Key', message }] },
  })
}

function replay({ status, body }: { status: number; body: string }): Response {
  const type = status >= 400 ? 'application/problem+json' : 'application/json'
  return new Response(body, {
    status: status as ContentfulStatusCode,
    headers: { 'Content-Type': type, 'Idempotency-Replayed': 'true' },
  })
}
