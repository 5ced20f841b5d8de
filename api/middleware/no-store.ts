import type { MiddlewareHandler } from 'hono'

/** What an app is told is for that app, now: no proxy and no browser keeps it. */
export const keepUncached: MiddlewareHandler = async (c, next) => {
  await next()
  c.res.headers.set('Cache-Control', 'no-store')
}
