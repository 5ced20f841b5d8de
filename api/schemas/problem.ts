import { z } from '@hono/zod-openapi'
import { type ErrorCode, errors } from '../../core/errors.ts'
import { problemOf } from '../middleware/problem.ts'

export const problemSchema = z
  .looseObject({
    type: z.string().meta({ description: 'Address of the page about this code' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: 'What was wrong this time, with both values where two disagree' }),
    code: z.enum(Object.keys(errors) as [ErrorCode, ...ErrorCode[]]).meta({ description: 'Permanent: branch on this' }),
    instance: z.string().meta({ description: 'Id of the request, as in X-Request-Id and in the log of ICE' }),
    next: z.string().meta({ description: 'What to do next' }),
    retryable: z.boolean().meta({ description: 'Whether the very same request may succeed later' }),
  })
  .meta({ id: 'Problem', description: 'RFC 9457. Further fields hold the facts of this refusal.' })

type ProblemResponse = {
  readonly description: string
  readonly content: {
    readonly 'application/problem+json': {
      readonly schema: typeof problemSchema
      readonly examples: Readonly<Record<string, { readonly summary: string; readonly value: unknown }>>
    }
  }
}

/** What every path under /v1 may answer; POSTs add the second list. */
const everywhere = [
  'unauthenticated',
  'rate_limited',
  'store_unavailable',
  'internal',
] as const satisfies readonly ErrorCode[]
const everyPost = [
  'body_too_large',
  'unsupported_media_type',
  'malformed_json',
  'invalid_request',
  'idempotency_key_missing',
  'idempotency_key_reused',
  'idempotency_in_flight',
] as const satisfies readonly ErrorCode[]

/** The problem responses of one route, grouped by status, an example for each code. */
export function problems(method: 'get' | 'post', ...own: readonly ErrorCode[]): Record<`${number}`, ProblemResponse> {
  const wanted = new Set<ErrorCode>([...everywhere, ...(method === 'post' ? everyPost : []), ...own])
  const responses: Record<`${number}`, ProblemResponse> = {}
  for (const code of Object.keys(errors) as ErrorCode[]) {
    if (!wanted.has(code)) continue
    const { status, title } = errors[code]
    const value = problemOf(
      { code, detail: title, fields: {} },
      { requestId: 'ab1c9d0e', origin: 'https://api.example' },
    )
    const before = responses[`${status}`]
    responses[`${status}`] = {
      description: before === undefined ? code : `${before.description}, ${code}`,
      content: {
        'application/problem+json': {
          schema: problemSchema,
          examples: { ...before?.content['application/problem+json'].examples, [code]: { summary: title, value } },
        },
      },
    }
  }
  return responses
}
