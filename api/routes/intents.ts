import { createRoute, type RouteHandler, z } from '@hono/zod-openapi'
import { errors, type Refusal, RelayError } from '../../core/errors.ts'
import type { App } from '../../core/ports/apps.ts'
import type { IntentRecord, Intents } from '../../core/ports/intents.ts'
import type { Accept, Accepted } from '../accept.ts'
import type { ApiEnv } from '../environment.ts'
import type { Metrics } from '../metrics.ts'
import { errorOf, originOf, problemOf, refuseFaults } from '../middleware/problem.ts'
import { takeIntents } from '../middleware/rate-limit.ts'
import type { ApiPorts } from '../ports.ts'
import { showAcknowledgement } from '../schemas/acknowledgement.ts'
import { example } from '../schemas/example.ts'
import { idParams, keyHeader } from '../schemas/fields.ts'
import {
  type IntentView,
  intentViewSchema,
  type Receipt,
  receiptSchema,
  type Submission,
  showIntent,
  submissionSchema,
} from '../schemas/intent.ts'
import { problemSchema, problems } from '../schemas/problem.ts'
import type { WatchLinks } from '../watch-link.ts'

/** Intents in one request. */
const intentsMax = 500

const batchBodySchema = z.strictObject({ intents: z.array(z.unknown()).min(1) })
const submissionsSchema = z.strictObject({ intents: z.array(submissionSchema).min(1).max(intentsMax) }).meta({
  id: 'Submissions',
  description:
    'Results come back in this order; a bad item never blocks the good ones. If any is `retryable`, send the same again with the same key: what was taken before comes back as known.',
})

const resultSchema = z
  .union([
    receiptSchema.extend({ status: z.union([z.literal(200), z.literal(201), z.literal(202)]) }),
    z.object({ status: z.int().meta({ example: 422 }), problem: problemSchema }),
  ])
  .meta({ id: 'SubmissionResult', description: '`status` is what this item alone would have been answered with.' })
const resultsSchema = z.object({ results: z.array(resultSchema) }).meta({ id: 'SubmissionResults' })

const submitBodySchema = z.record(z.string(), z.unknown()).meta({
  anyOf: [{ $ref: '#/components/schemas/Submission' }, { $ref: '#/components/schemas/Submissions' }],
})
/** Named in the body of submit by reference only. */
export const submitComponents = { Submission: submissionSchema, Submissions: submissionsSchema }

export const submitRoute = createRoute({
  method: 'post',
  path: '/v1/intents',
  tags: ['Intents'],
  summary: 'Submit signed payments',
  description: `One \`{intent, signature, order?}\`, or \`{intents: […]}\` with up to ${intentsMax} of them. A 201 with an acknowledgement is a promise that is already on disk.`,
  request: {
    headers: keyHeader,
    body: { required: true, content: { 'application/json': { schema: submitBodySchema } } },
  },
  responses: {
    200: {
      description: 'You submitted this payment before: here it is. For `intents`: the result of each',
      content: { 'application/json': { schema: z.union([intentViewSchema, resultsSchema]) } },
    },
    201: { description: 'Accepted and acknowledged', content: { 'application/json': { schema: receiptSchema } } },
    202: { description: 'Held for an operator', content: { 'application/json': { schema: receiptSchema } } },
    ...problems(
      'post',
      'too_many_intents',
      'address_checksum_invalid',
      'wrong_chain',
      'wrong_contract',
      'token_unknown',
      'payee_invalid',
      'amount_out_of_range',
      'amount_not_representable',
      'intent_expired',
      'deadline_too_far',
      'signature_malformed',
      'signature_mismatch',
      'order_not_found',
      'order_mismatch',
      'order_expired',
      'order_paid',
      'intent_exists',
      'account_not_bound',
      'nonce_spent',
      'nonce_taken',
      'nonce_out_of_window',
      'previous_mismatch',
      'previous_held',
      'previous_expired',
      'means_unsupported',
      'permit_invalid',
      'insufficient_balance',
      'allowance_short',
      'chain_unavailable',
      'overloaded',
    ),
  },
})

type Result =
  | { readonly status: 200; readonly body: IntentView }
  | { readonly status: 201 | 202; readonly body: Receipt }

export function submit({
  ports,
  accept,
  metrics,
  watchLinks,
}: {
  ports: ApiPorts
  accept: Accept
  metrics: Metrics
  watchLinks: WatchLinks
}): RouteHandler<typeof submitRoute, ApiEnv> {
  const { intents, publicUrl } = ports
  return async (c) => {
    const body = c.req.valid('json')
    const appId = c.get('app').id
    const watchUrlOf = (id: string) => watchLinks.urlOf(id, c)
    if (!('intents' in body)) {
      await takeIntents(ports, appId, 1)
      const [result] = await submitAll([submissionSchema.safeParse(body)], appId, watchUrlOf)
      if (result === undefined) throw new RelayError('internal', 'A submission came back without a result.')
      if ('outcome' in result) throw errorOf(result)
      return result.status === 200 ? c.json(result.body, 200) : c.json(result.body, result.status)
    }

    const items = parse(batchBodySchema, body).intents
    if (items.length > intentsMax) {
      throw new RelayError('too_many_intents', `${items.length} intents, at most ${intentsMax} are taken at once.`, {
        fields: { count: items.length, countMax: intentsMax },
      })
    }
    await takeIntents(ports, appId, items.length)
    const results = await submitAll(
      items.map((item) => submissionSchema.safeParse(item)),
      appId,
      watchUrlOf,
    )
    // Kept for its key, the answer would freeze "try again": the items that were taken come back as known instead.
    c.set('isRetryable', results.some(isRetryable))
    const about = { requestId: c.get('requestId'), origin: publicUrl ?? originOf(c) }
    return c.json(
      {
        results: results.map((result) =>
          'outcome' in result
            ? { status: errors[result.code].status, problem: problemOf(result, about) }
            : { status: result.status, ...result.body },
        ),
      },
      200,
    )
  }

  async function submitAll(
    parsed: readonly ReturnType<typeof submissionSchema.safeParse>[],
    appId: string,
    watchUrlOf: (id: string) => string,
  ): Promise<readonly (Result | Refusal)[]> {
    const good = parsed.flatMap((each): Submission[] => (each.success ? [each.data] : []))
    const accepted = good.length === 0 ? [] : await accept(good, appId)
    let next = 0
    const outcomes = parsed.map((each) => (each.success ? accepted[next++] : refuseFaults(each.error)))
    const results: (Result | Refusal)[] = []
    for (const outcome of outcomes) {
      if (outcome === undefined) throw new RelayError('internal', 'A submission came back without a result.')
      metrics.submitted(outcome.outcome === 'refused' ? outcome.code : outcome.outcome)
      results.push(await answerOf(outcome, intents, watchUrlOf))
    }
    return results
  }
}

function isRetryable(result: Result | Refusal): boolean {
  if (!('outcome' in result)) return false
  const entry: { status: number; retryable?: true } = errors[result.code]
  return entry.retryable === true
}

async function answerOf(
  accepted: Accepted,
  intents: Intents,
  watchUrlOf: (id: string) => string,
): Promise<Result | Refusal> {
  if (accepted.outcome === 'refused') return accepted
  const { id, digest } = accepted
  const watchUrl = watchUrlOf(id)
  if (accepted.outcome === 'held') {
    const { reason } = accepted
    return {
      status: 202,
      body: { id, state: 'held', digest, reason, guarantee: null, acknowledgement: null, watchUrl },
    }
  }
  if (accepted.outcome === 'accepted') {
    const acknowledgement = showAcknowledgement(accepted.acknowledgement)
    const { guarantee } = acknowledgement
    return { status: 201, body: { id, state: 'accepted', digest, reason: null, guarantee, acknowledgement, watchUrl } }
  }
  const record = await intents.find(id)
  if (record === undefined) throw new RelayError('internal', `Intent ${id} is known but cannot be found.`)
  return { status: 200, body: showIntent(record, watchUrl) }
}

export const readIntentRoute = createRoute({
  method: 'get',
  path: '/v1/intents/{id}',
  tags: ['Intents'],
  summary: 'Read a payment',
  description:
    'For the app that submitted it, the app of the order it pays, the app that owns its payee, and operators.',
  request: { params: idParams('Intent id', example.intentId) },
  responses: {
    200: { description: 'The payment', content: { 'application/json': { schema: intentViewSchema } } },
    ...problems('get', 'not_found'),
  },
})

export function readIntent({
  ports: { intents },
  watchLinks,
}: {
  ports: ApiPorts
  watchLinks: WatchLinks
}): RouteHandler<typeof readIntentRoute, ApiEnv> {
  return async (c) => {
    const record = await loadIntent(intents, c.req.valid('param').id, c.get('app'))
    return c.json(showIntent(record, watchLinks.urlOf(record.id, c)), 200)
  }
}

/** @throws RelayError `not_found`, in the same words for what does not exist and for what others own. */
export async function loadIntent(intents: Intents, id: string, app: App): Promise<IntentRecord> {
  const record = await intents.find(id)
  const owners = [record?.appId, record?.orderAppId, record?.payeeAppId]
  const isVisible = owners.includes(app.id) || app.role === 'operator'
  if (record === undefined || !isVisible) throw new RelayError('not_found', 'No such intent.')
  return record
}

function parse<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw errorOf(refuseFaults(parsed.error))
  return parsed.data
}
