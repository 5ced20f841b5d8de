import { createRoute, type RouteHandler, z } from '@hono/zod-openapi'
import { type ErrorCode, RelayError } from '../../core/errors.ts'
import { nowSeconds } from '../../core/ports/clock.ts'
import type { HoldDecision } from '../../core/ports/intents.ts'
import type { KnownChains } from '../chains.ts'
import type { ApiEnv } from '../environment.ts'
import type { ApiPorts } from '../ports.ts'
import { example } from '../schemas/example.ts'
import { field, idParams, keyHeader } from '../schemas/fields.ts'
import { intentViewSchema, showIntent } from '../schemas/intent.ts'
import { problems } from '../schemas/problem.ts'
import type { WatchLinks } from '../watch-link.ts'
import { loadIntent } from './intents.ts'

const holdBodySchema = z.strictObject({ note: field.note.optional() }).meta({ id: 'HoldRequest' })

const decision = <Path extends string>(
  path: Path,
  summary: string,
  description: string,
  ...codes: readonly ErrorCode[]
) =>
  createRoute({
    method: 'post',
    path,
    tags: ['Holds'],
    summary,
    description: `For operators. ${description} Written to the op-log.`,
    request: {
      headers: keyHeader,
      params: idParams('Intent id', example.intentId),
      body: { required: false, content: { 'application/json': { schema: holdBodySchema } } },
    },
    responses: {
      200: { description: 'Decided', content: { 'application/json': { schema: intentViewSchema } } },
      ...problems('post', 'forbidden', 'not_found', 'hold_not_open', ...codes),
    },
  })

export const releaseHoldRoute = decision(
  '/v1/holds/{id}/release',
  'Let a held payment go',
  'It is accepted, with a fresh acknowledgement that promises what can be promised now. Not after its deadline.',
  'intent_expired',
)

export function releaseHold({
  ports: { intents, clock },
  chains,
  wakeBatch,
  watchLinks,
}: {
  ports: ApiPorts
  chains: KnownChains
  wakeBatch: (chainId: number) => void
  watchLinks: WatchLinks
}): RouteHandler<typeof releaseHoldRoute, ApiEnv> {
  return async (c) => {
    const app = c.get('app')
    const { id } = c.req.valid('param')
    const { chainId, vault } = await loadIntent(intents, id, app)
    const known = chains.settling(chainId, vault)
    const { note } = c.req.valid('json')
    const now = nowSeconds(clock)
    checkDecided(await intents.release({ id, chain: known.config, operatorId: app.id, note, nowSeconds: now }), now)
    wakeBatch(chainId)
    return c.json(showIntent(await loadIntent(intents, id, app), watchLinks.urlOf(id, c)), 200)
  }
}

export const rejectHoldRoute = decision(
  '/v1/holds/{id}/reject',
  'Turn a held payment down',
  'Its money is free again at once: nobody but ICE could have settled it. A pull is `cancelling` until its deadline, because another relayer of the vault could.',
)

export function rejectHold({
  ports: { intents, clock },
  watchLinks,
}: {
  ports: ApiPorts
  watchLinks: WatchLinks
}): RouteHandler<typeof rejectHoldRoute, ApiEnv> {
  return async (c) => {
    const app = c.get('app')
    const { id } = c.req.valid('param')
    checkDecided(await intents.reject({ id, operatorId: app.id, note: c.req.valid('json').note }), nowSeconds(clock))
    return c.json(showIntent(await loadIntent(intents, id, app), watchLinks.urlOf(id, c)), 200)
  }
}

function checkDecided(decided: HoldDecision, now: number): void {
  if (decided.outcome === 'not_found') throw new RelayError('not_found', 'No such intent.')
  if (decided.outcome === 'not_held') {
    throw new RelayError('hold_not_open', `The intent is ${decided.state}.`, { fields: { state: decided.state } })
  }
  if (decided.outcome === 'expired') {
    throw new RelayError('intent_expired', `deadline ${decided.deadline} is too near or over, now is ${now}`, {
      fields: { deadline: `${decided.deadline}`, now: `${now}` },
    })
  }
}
