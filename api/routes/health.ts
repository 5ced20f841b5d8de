import { createRoute, type RouteHandler, z } from '@hono/zod-openapi'
import type { ApiEnv } from '../environment.ts'
import type { Metrics } from '../metrics.ts'
import type { ApiPorts } from '../ports.ts'

export const healthRoute = createRoute({
  method: 'get',
  path: '/healthz',
  tags: ['Operations'],
  security: [],
  summary: 'Whether the process lives',
  responses: {
    200: {
      description: 'It does',
      content: { 'application/json': { schema: z.object({ status: z.literal('ok') }) } },
    },
  },
})

export const health: RouteHandler<typeof healthRoute, ApiEnv> = (c) => c.json({ status: 'ok' as const }, 200)

const readinessSchema = z
  .object({
    status: z.enum(['ready', 'not ready']),
    notReady: z.record(z.string(), z.string()).meta({
      description: 'One sentence per part that is not ready',
      example: { 'chain 31337': 'its head was last seen 95 seconds ago' },
    }),
  })
  .meta({ id: 'Readiness' })

export const readyRoute = createRoute({
  method: 'get',
  path: '/readyz',
  tags: ['Operations'],
  security: [],
  summary: 'Whether it can take payments now',
  responses: {
    200: { description: 'Ready', content: { 'application/json': { schema: readinessSchema } } },
    503: { description: 'Not ready', content: { 'application/json': { schema: readinessSchema } } },
  },
})

export function ready({ ports: { isReady } }: { ports: ApiPorts }): RouteHandler<typeof readyRoute, ApiEnv> {
  return async (c) => {
    const { notReady } = await isReady()
    if (Object.keys(notReady).length === 0) return c.json({ status: 'ready' as const, notReady: {} }, 200)
    return c.json({ status: 'not ready' as const, notReady: { ...notReady } }, 503)
  }
}

export const metricsRoute = createRoute({
  method: 'get',
  path: '/metrics',
  tags: ['Operations'],
  security: [],
  summary: 'Measurements for Prometheus',
  description: 'Holds no amounts and no names. Keep it inside your network all the same.',
  responses: { 200: { description: 'Text format', content: { 'text/plain': { schema: z.string() } } } },
})

export function showMetrics({
  metrics: { registry },
}: {
  metrics: Metrics
}): RouteHandler<typeof metricsRoute, ApiEnv> {
  return async (c) => c.text(await registry.metrics(), 200, { 'Content-Type': registry.contentType })
}
