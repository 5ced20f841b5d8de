import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AppCredentials } from './system.ts'

export type Answer<Body> =
  | { readonly isOk: true; readonly status: number; readonly body: Body; readonly millis: number }
  | { readonly isOk: false; readonly status: number; readonly problem: Problem; readonly millis: number }
export type Problem = { readonly code: string; readonly detail: string }

/** The API as an app's backend calls it. */
export type Client = {
  readonly post: <Body>(path: string, body: object) => Promise<Answer<Body>>
  readonly get: <Body>(path: string) => Promise<Body>
  /** The body as it was sent. */
  readonly bytes: (path: string) => Promise<Buffer>
  readonly remove: (path: string) => Promise<void>
}

export function createClient(api: string, { id, secret }: AppCredentials): Client {
  const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`
  return {
    post: async <Body>(path: string, body: object): Promise<Answer<Body>> => {
      const startedMillis = performance.now()
      const response = await askPatiently(api + path, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json', 'idempotency-key': randomUUID() },
        body: JSON.stringify(body),
      })
      const { status } = response
      const parsed = await response.json()
      const millis = performance.now() - startedMillis
      return response.ok
        ? { isOk: true, status, body: parsed as Body, millis }
        : { isOk: false, status, problem: parsed as Problem, millis }
    },
    get: async <Body>(path: string): Promise<Body> => (await found(path)).json() as Promise<Body>,
    bytes: async (path) => Buffer.from(await (await found(path)).arrayBuffer()),
    remove: async (path) => {
      const response = await fetch(api + path, { method: 'DELETE', headers: { authorization } })
      if (!response.ok) throw new Error(`DELETE ${path} was answered with ${response.status}: ${await response.text()}`)
    },
  }

  async function found(path: string): Promise<Response> {
    const response = await askPatiently(api + path, { headers: { authorization } })
    if (!response.ok) throw new Error(`GET ${path} was answered with ${response.status}: ${await response.text()}`)
    return response
  }
}

const triesMax = 20

/** Asks again, with the same key, while the API says that it cannot answer yet (503), as it tells its clients to. */
async function askPatiently(url: string, request: RequestInit): Promise<Response> {
  for (let tries = 1; ; tries++) {
    const response = await fetch(url, request)
    if (response.status !== 503 || tries === triesMax) return response
    await sleep(500)
  }
}

export function bodyOf<Body>(answer: Answer<Body>): Body {
  if (answer.isOk) return answer.body
  throw new Error(`refused with ${answer.status} ${answer.problem.code}: ${answer.problem.detail}`)
}
