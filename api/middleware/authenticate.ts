import { createHash, timingSafeEqual } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import { RelayError } from '../../core/errors.ts'
import type { App, Apps } from '../../core/ports/apps.ts'
import type { Clock } from '../../core/ports/clock.ts'
import type { ApiEnv } from '../environment.ts'

/** A changed secret or role takes effect within this time on every process. */
const cacheMillisMax = 5_000
/** Unknown ids are remembered too, so that guessing them costs the database nothing. */
const cachedAppsMax = 10_000
const credentialsCharactersMax = 512

/** Compared with when there is no such app: the same work, and no secret has this hash. */
const nobodysSecret = Buffer.alloc(32)

/**
 * HTTP Basic, user AppID, password AppSecret (RFC 7617). Sets `app`.
 * @throws RelayError `unauthenticated`, in the same words for an unknown AppID and for a wrong AppSecret.
 */
export function authenticate({ apps, clock }: { apps: Apps; clock: Clock }): MiddlewareHandler<ApiEnv> {
  const find = cached(apps, clock)
  return async (c, next) => {
    const credentials = readBasic(c.req.header('authorization'))
    if (credentials === undefined) {
      throw new RelayError('unauthenticated', 'The Authorization header is missing or is not Basic AppID:AppSecret.')
    }
    const app = await find(credentials.id)
    const given = createHash('sha256').update(credentials.secret).digest()
    const isRight = timingSafeEqual(given, app?.secretSha256 ?? nobodysSecret)
    if (app === undefined || !isRight) {
      throw new RelayError('unauthenticated', 'There is no app with this AppID and AppSecret.')
    }
    c.set('app', app)
    await next()
  }
}

function readBasic(header: string | undefined): { readonly id: string; readonly secret: string } | undefined {
  if (header === undefined || header.length > credentialsCharactersMax) return undefined
  const encoded = /^Basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(header)?.[1]
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 1 ? undefined : { id: text.slice(0, colon), secret: text.slice(colon + 1) }
}

function cached(apps: Apps, clock: Clock): Apps['find'] {
  const known = new Map<string, { readonly app: Promise<App | undefined>; readonly until: number }>()
  return (id) => {
    const now = clock.nowMillis()
    const hit = known.get(id)
    if (hit !== undefined && now < hit.until) return hit.app
    if (known.size >= cachedAppsMax) known.clear()
    const app = apps.find(id)
    known.set(id, { app, until: now + cacheMillisMax })
    // A failed question is no answer: the next request asks again.
    app.catch(() => known.delete(id))
    return app
  }
}
