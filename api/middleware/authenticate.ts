import { createHash, timingSafeEqual } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import { RelayError } from '../../core/errors.ts'
import type { App, Apps } from '../../core/ports/apps.ts'
import type { Clock } from '../../core/ports/clock.ts'
import { appIdPattern } from '../../core/protocol/schema.ts'
import { clientAddress } from '../client-address.ts'
import type { ApiEnv } from '../environment.ts'
import { loginWindowSeconds } from '../limits.ts'
import type { ApiPorts } from '../ports.ts'
import { refuseRate } from './rate-limit.ts'

/** A changed secret or role takes effect within this time on every process. */
const appMillisMax = 5_000
const appsMax = 10_000
/**
 * One wrong AppID sent again and again costs the database a question per this time. New ones cost a question each, up to
 * the limit of their address. An app that is registered meanwhile can log in after it.
 */
const strangerMillisMax = 2_000
const strangersMax = 10_000
const credentialsCharactersMax = 512

/** Compared with when there is no such app: the same work, and no secret has this hash. */
const nobodysSecret = Buffer.alloc(32)

/**
 * HTTP Basic, user AppID, password AppSecret (RFC 7617). Sets `app`. An address that has failed too often is heard only
 * with AppIDs that this process knows: whoever shares an address with an attacker is not locked out, and nobody is asked about.
 * @throws RelayError `unauthenticated`, in the same words for an unknown AppID and for a wrong AppSecret; `rate_limited`.
 */
export function authenticate(
  ports: Pick<ApiPorts, 'apps' | 'clock' | 'rateLimit' | 'limits'>,
): MiddlewareHandler<ApiEnv> {
  const { find, knows } = cached(ports.apps, ports.clock)
  return async (c, next) => {
    const credentials = readBasic(c.req.header('authorization'))
    if (credentials === undefined) {
      throw new RelayError('unauthenticated', 'The Authorization header is missing or is not Basic AppID:AppSecret.')
    }
    const address = clientAddress(c, ports.limits.proxyHops)
    const policy = { name: 'logins', countMax: ports.limits.failedLoginsMax, windowSeconds: loginWindowSeconds }
    if (!knows(credentials.id)) {
      const failures = await ports.rateLimit.peek(policy, address)
      if (!failures.isAllowed) throw refuseRate(policy, failures, 'This address has failed to log in')
    }
    const app = await find(credentials.id)
    const given = createHash('sha256').update(credentials.secret).digest()
    const isRight = timingSafeEqual(given, app?.secretSha256 ?? nobodysSecret)
    if (app === undefined || !isRight) {
      await ports.rateLimit.take(policy, address)
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

/**
 * Asks once for many requests with the same AppID. Apps and strangers are remembered apart, so that no flood of made-up
 * AppIDs makes anybody's app forgotten; what is full forgets who came first.
 */
function cached(apps: Apps, clock: Clock): { find: Apps['find']; knows: (id: string) => boolean } {
  const known = new Map<string, { readonly app: App; readonly until: number }>()
  const strangers = new Map<string, number>()
  const asked = new Map<string, Promise<App | undefined>>()

  async function ask(id: string): Promise<App | undefined> {
    const app = await apps.find(id)
    const now = clock.nowMillis()
    if (app === undefined) {
      known.delete(id)
      remember(strangers, id, now + strangerMillisMax, strangersMax)
    } else {
      remember(known, id, { app, until: now + appMillisMax }, appsMax)
    }
    return app
  }

  async function find(id: string): Promise<App | undefined> {
    // Nobody can have such an AppID, and Postgres refuses some of them as text.
    if (!appIdPattern.test(id)) return undefined
    const now = clock.nowMillis()
    const hit = known.get(id)
    if (hit !== undefined && now < hit.until) return hit.app
    if (now < (strangers.get(id) ?? 0)) return undefined
    const underWay = asked.get(id)
    if (underWay !== undefined) return underWay
    // A failed question is no answer: the next request asks again.
    const answer = ask(id).finally(() => asked.delete(id))
    asked.set(id, answer)
    return answer
  }

  return { find, knows: (id) => known.has(id) }
}

/** A map keeps the order in which its keys came. */
function remember<Value>(memory: Map<string, Value>, id: string, value: Value, countMax: number): void {
  memory.delete(id)
  const [oldest] = memory.size >= countMax ? memory.keys() : []
  if (oldest !== undefined) memory.delete(oldest)
  memory.set(id, value)
}
