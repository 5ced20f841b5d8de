import type { Context, ErrorHandler, NotFoundHandler } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { z } from 'zod'
import { type ErrorCode, type ErrorFields, errors, type Refusal, RelayError, refusal } from '../../core/errors.ts'
import type { ApiEnv } from '../environment.ts'
import { outageOf } from '../outage.ts'
import type { ApiPorts } from '../ports.ts'

/** RFC 9457, plus what helps a program (`code`, `retryable`) and a person (`next`), plus the facts of this refusal. */
export type Problem = {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: ErrorCode
  readonly instance: string
  readonly next: string
  readonly retryable: boolean
}

/** Faults listed in one answer. */
const faultsMax = 20
/** Of one fault's message: it may name what the client sent, and that may be a megabyte. */
const messageCharactersMax = 300
const retryAfterSecondsDefault = 1

/** The one place where an exception becomes an answer. Anything nobody foresaw is `internal`, and says nothing of itself. */
export function answerErrors({ log, publicUrl }: Pick<ApiPorts, 'log' | 'publicUrl'>): ErrorHandler<ApiEnv> {
  return (error, c) => {
    const known = knownError(error)
    const { code, message, fields, status } = known ?? new RelayError('internal', 'The fault is in the log of ICE.')
    if (status >= 500) {
      log.error({ requestId: c.get('requestId'), code, err: error }, 'A request failed on our side.')
    }
    return answerProblem(c, { code, detail: message, fields }, publicUrl)
  }
}

/** Unknown paths answer like unknown ids. */
export function answerNotFound({ publicUrl }: Pick<ApiPorts, 'publicUrl'>): NotFoundHandler<ApiEnv> {
  return (c) =>
    answerProblem(c, { code: 'not_found', detail: `There is nothing at ${c.req.path}.`, fields: {} }, publicUrl)
}

function answerProblem(
  c: Context<ApiEnv>,
  refused: Pick<Refusal, 'code' | 'detail' | 'fields'>,
  publicUrl: string | undefined,
): Response {
  const problem = problemOf(refused, { requestId: c.get('requestId'), origin: publicUrl ?? originOf(c) })
  c.set('isRetryable', problem.retryable)
  const headers: Record<string, string> = { 'Content-Type': 'application/problem+json' }
  if (problem.status === 503 || refused.fields.retryAfterSeconds !== undefined) {
    headers['Retry-After'] = String(refused.fields.retryAfterSeconds ?? retryAfterSecondsDefault)
  }
  if (problem.status === 401) headers['WWW-Authenticate'] = 'Basic realm="ICE", charset="UTF-8"'
  if (Array.isArray(refused.fields.allow)) headers.Allow = refused.fields.allow.join(', ')
  return c.body(JSON.stringify(problem), problem.status as ContentfulStatusCode, headers)
}

/** The body of a refusal; also what one bad item of a batch gets. */
export function problemOf(
  { code, detail, fields }: { code: ErrorCode; detail: string; fields: ErrorFields },
  { requestId, origin }: { requestId: string; origin: string },
): Problem {
  const entry: { status: number; title: string; next: string; retryable?: true } = errors[code]
  const standard = {
    type: `${origin}/errors/${code}`,
    title: entry.title,
    status: entry.status,
    detail,
    code,
    instance: requestId,
    next: entry.next,
    retryable: entry.retryable === true,
  }
  // First for the reader's sake, last so that no fact can pass for a standard member.
  return { ...standard, ...fields, ...standard }
}

export function originOf(c: Context): string {
  return new URL(c.req.url).origin
}

/** What a schema found wrong, as one refusal. A lone checksum fault has a code of its own: the client mistyped, not misread. */
export function refuseFaults(error: z.core.$ZodError): Refusal {
  const faults = error.issues.map((issue) => ({
    path: issue.path.join('.'),
    message: issue.message.slice(0, messageCharactersMax),
    isChecksum: issue.code === 'custom' && issue.params?.code === 'address_checksum_invalid',
  }))
  const [first] = faults
  const where = first === undefined || first.path === '' ? 'the request' : first.path
  const detail = `${where}: ${first?.message ?? 'does not match its schema'}`
  const fields = { errors: faults.slice(0, faultsMax).map(({ path, message }) => ({ path, message })) }
  const isOnlyChecksum = faults.length > 0 && faults.every(({ isChecksum }) => isChecksum)
  return refusal(isOnlyChecksum ? 'address_checksum_invalid' : 'invalid_request', detail, fields)
}

/** For every route: a request that does not match its schema ends here. */
export function refuseInvalid(result: { success: true } | { success: false; error: z.core.$ZodError }): undefined {
  if (!result.success) throw errorOf(refuseFaults(result.error))
}

export function refuseMethod(c: Context, allowed: readonly string[]): never {
  throw new RelayError('method_not_allowed', `${c.req.path} takes ${allowed.join(', ')}, not ${c.req.method}.`, {
    fields: { allow: allowed },
  })
}

export function errorOf({ code, detail, fields }: Refusal): RelayError {
  return new RelayError(code, detail, { fields })
}

function knownError(error: Error): RelayError | undefined {
  const outage = outageOf(error)
  if (outage !== undefined) return outage
  if (error instanceof RelayError) return error
  if (error instanceof HTTPException && error.status === 400) return new RelayError('malformed_json', error.message)
  return undefined
}
