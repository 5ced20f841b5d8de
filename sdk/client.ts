import { IceError, IceUnreachableError } from './errors.ts'
import type { Facts } from './facts.ts'
import { wait, waitMillisAfter } from './retry.ts'

const triesMaxDefault = 4
const timeoutMillisDefault = 30_000
const retryAfterDigits = /^[0-9]{1,9}$/

export type Credentials = { readonly appId: string; readonly appSecret: string }

/** The HTTP API. Every call throws IceError if ICE refuses, IceUnreachableError if no answer of ICE came in any try. */
export type Client = {
  readonly get: <Body>(path: string, query?: Query) => Promise<Body>
  /** @param key the Idempotency-Key: give one that you kept to find out what became of an earlier call; else a fresh one */
  readonly post: <Body>(path: string, body: object, options?: { readonly key?: string | undefined }) => Promise<Body>
  readonly remove: (path: string) => Promise<void>
  /** What the server says of its deployment. For a wallet, compare it with facts of your own. */
  readonly facts: () => Promise<Facts>
}
/** Fields without a value are left out. */
export type Query = Readonly<Record<string, string | number | undefined>>

/**
 * @param baseUrl of the API, or of a backend that passes on what its pages ask
 * @param credentials of an app, sent over HTTP Basic. Never in a page: leave them out there
 * @param triesMax of one call, the first one included
 * @param timeoutMillis of one try, from its beginning to the end of its answer
 */
export function createClient({
  baseUrl,
  credentials,
  triesMax = triesMaxDefault,
  timeoutMillis = timeoutMillisDefault,
}: {
  readonly baseUrl: string
  readonly credentials?: Credentials
  readonly triesMax?: number
  readonly timeoutMillis?: number
}): Client {
  const origin = baseUrl.replace(/\/+$/, '')
  const own = credentials === undefined ? {} : { authorization: basicOf(credentials) }

  /** The same request, key included, until it is answered for good. */
  async function call(path: string, request: RequestInit, key?: string): Promise<unknown> {
    for (let tries = 1; ; tries++) {
      const outcome = await tryOnce(origin + path, request, { tries, key, timeoutMillis })
      if (outcome.error === undefined) return outcome.body
      const millis = tries < triesMax ? waitMillisAfter(outcome.error, tries) : undefined
      if (millis === undefined) throw outcome.error
      await wait(millis)
    }
  }

  const get = async <Body>(path: string, query: Query = {}): Promise<Body> => {
    const fields = new URLSearchParams()
    for (const [name, value] of Object.entries(query)) if (value !== undefined) fields.set(name, `${value}`)
    const text = fields.toString()
    return (await call(text === '' ? path : `${path}?${text}`, { headers: own })) as Body
  }
  return {
    get,
    post: async <Body>(path: string, body: object, { key = freshKey() }: { key?: string | undefined } = {}) => {
      const headers = { ...own, 'content-type': 'application/json', 'idempotency-key': key }
      return (await call(path, { method: 'POST', headers, body: JSON.stringify(body) }, key)) as Body
    },
    remove: async (path) => void (await call(path, { method: 'DELETE', headers: own })),
    facts: () => get<Facts>('/.well-known/ice.json'),
  }
}

type Outcome =
  | { readonly error?: undefined; readonly body: unknown }
  | { readonly error: IceError | IceUnreachableError }

async function tryOnce(
  url: string,
  request: RequestInit,
  { tries, key, timeoutMillis }: { tries: number; key: string | undefined; timeoutMillis: number },
): Promise<Outcome> {
  try {
    // A redirect would carry the credentials elsewhere.
    const response = await fetch(url, { ...request, redirect: 'error', signal: AbortSignal.timeout(timeoutMillis) })
    const text = await response.text()
    if (response.status === 204) return { body: undefined }
    const body = parsed(text)
    if (response.ok && body !== undefined) return { body }
    return { error: refusalOf(response, body, { tries, key }) }
  } catch (cause) {
    const detail = `no answer from ${url} in ${tries} tries: ${cause instanceof Error ? cause.message : cause}`
    return { error: new IceUnreachableError(detail, { tries, key, cause }) }
  }
}

/** What a bad answer means: ICE's own word if it is a problem (RFC 9457), else that something else answered. */
export function refusalOf(
  response: Response,
  body: unknown,
  { tries, key }: { tries: number; key?: string | undefined },
): IceError | IceUnreachableError {
  const { status } = response
  const after = response.headers.get('retry-after') ?? ''
  if (typeof body === 'object' && body !== null && 'code' in body && typeof body.code === 'string') {
    return new IceError(status, { ...body }, retryAfterDigits.test(after) ? Number(after) : undefined)
  }
  return new IceUnreachableError(`${status} came without a problem of ICE, in ${tries} tries`, { tries, status, key })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON is no answer of ICE, and is said so by whoever finds undefined.
    return undefined
  }
}

/** 128 bits. Not `randomUUID`, which pages have on https only. */
function freshKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function basicOf({ appId, appSecret }: Credentials): string {
  return `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(`${appId}:${appSecret}`)))}`
}
