import type { MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'

const allowAll = cors({ origin: '*', allowMethods: ['GET'], allowHeaders: ['Last-Event-ID'] })

/** Lets pages of any origin read the answer. Only for what needs no credentials: they are neither sent nor taken. */
export const openToBrowsers: MiddlewareHandler = async (c, next) => {
  const answer = await allowAll(c, next)
  c.res.headers.set('Cross-Origin-Resource-Policy', 'cross-origin')
  return answer
}
