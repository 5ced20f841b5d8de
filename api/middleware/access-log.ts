import type { MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { ApiEnv } from '../environment.ts'
import type { Metrics } from '../metrics.ts'
import type { ApiPorts } from '../ports.ts'

/** One line and one measurement per request: what was asked by whom, and how it ended. Never bodies, headers or queries. */
export function logAccess({ log, metrics }: Pick<ApiPorts, 'log'> & { metrics: Metrics }): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const startedAt = performance.now()
    await next()
    const millis = performance.now() - startedAt
    const route = matchedRoutes(c).at(-1)?.path ?? ''
    metrics.request({ method: c.req.method, route, status: c.res.status, seconds: millis / 1000 })
    const facts = {
      requestId: c.get('requestId'),
      appId: c.get('app')?.id,
      method: c.req.method,
      path: c.req.path,
      status: c.res.status,
      millis: Math.round(millis * 10) / 10,
    }
    log.info(facts, 'answered')
  }
}
