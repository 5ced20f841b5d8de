import type { Context, MiddlewareHandler } from 'hono'
import { RelayError } from '../../core/errors.ts'
import type { RateCount, RatePolicy } from '../../core/ports/rate-limit.ts'
import { clientAddress } from '../client-address.ts'
import type { ApiEnv } from '../environment.ts'
import { appWindowSeconds, watchWindowSeconds } from '../limits.ts'
import type { ApiPorts } from '../ports.ts'

/**
 * Counts the requests of an app and refuses those above its limit. A replay counts like any other: it costs the same.
 * @throws RelayError `rate_limited`
 */
export function limitRate(ports: Pick<ApiPorts, 'rateLimit' | 'limits'>): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const { id } = c.get('app')
    const policy = { name: 'app', countMax: ports.limits.appRequestsMax, windowSeconds: appWindowSeconds }
    const count = await ports.rateLimit.take(policy, id)
    showRate(c, policy, count)
    if (!count.isAllowed) throw refuseRate(policy, count, `App ${id} has sent`)
    return next()
  }
}

/**
 * Counts the payments of one request, which may be hundreds, before any of them is looked at.
 * @throws RelayError `rate_limited`
 */
export async function takeIntents(
  { rateLimit, limits }: Pick<ApiPorts, 'rateLimit' | 'limits'>,
  appId: string,
  intentCount: number,
): Promise<void> {
  const policy = { name: 'intents', countMax: limits.appIntentsMax, windowSeconds: appWindowSeconds }
  const count = await rateLimit.take(policy, appId, intentCount)
  if (!count.isAllowed) throw refuseRate(policy, count, `App ${appId} has submitted payments beyond`)
}

/**
 * Counts what an address asks of a route that takes no credentials, before anything is checked or looked up.
 * @throws RelayError `rate_limited`
 */
export function limitWatching(ports: Pick<ApiPorts, 'rateLimit' | 'limits'>): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const policy = { name: 'watch', countMax: ports.limits.watchRequestsMax, windowSeconds: watchWindowSeconds }
    const count = await ports.rateLimit.take(policy, clientAddress(c, ports.limits.proxyHops))
    showRate(c, policy, count)
    if (!count.isAllowed) throw refuseRate(policy, count, 'This address has asked for streams of payments')
    return next()
  }
}

export function refuseRate({ countMax, windowSeconds }: RatePolicy, count: RateCount, who: string): RelayError {
  const retryAfterSeconds = Math.max(1, Math.ceil(count.resetMillis / 1000))
  return new RelayError('rate_limited', `${who} ${countMax} in ${windowSeconds} s, as many as are taken.`, {
    fields: { countMax, windowSeconds, retryAfterSeconds },
  })
}

/** @see draft-ietf-httpapi-ratelimit-headers-10 */
function showRate(
  c: Context,
  { name, countMax, windowSeconds }: RatePolicy,
  { remaining, resetMillis }: RateCount,
): void {
  c.header('RateLimit-Policy', `"${name}";q=${countMax};w=${windowSeconds}`)
  c.header('RateLimit', `"${name}";r=${remaining};t=${Math.ceil(resetMillis / 1000)}`)
}
