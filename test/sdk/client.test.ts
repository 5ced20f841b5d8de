import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { createClient } from '../../sdk/client.ts'
import { IceError, IceUnreachableError } from '../../sdk/errors.ts'

type Seen = { readonly method: string; readonly key: string; readonly body: string }
type Step = (response: ServerResponse, request: IncomingMessage) => void

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

/** Answers one request after the other with the next step; the last one stays. */
async function serverThat(...steps: readonly Step[]) {
  const seen: Seen[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const { method = '', headers } = request
    seen.push({ method, key: `${headers['idempotency-key']}`, body })
    steps[Math.min(seen.length, steps.length) - 1]?.(response, request)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stops.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

const drop: Step = (response) => response.destroy()
const fine: Step = (response) => response.writeHead(201, { 'content-type': 'application/json' }).end('{"id":"pi_1"}')
const problem =
  (status: number, code: string, { retryable = false, after }: { retryable?: boolean; after?: string } = {}): Step =>
  (response) => {
    const headers = {
      'content-type': 'application/problem+json',
      ...(after === undefined ? {} : { 'retry-after': after }),
    }
    const facts = { title: 't', detail: 'what was wrong', next: 'what to do', instance: 'r1', available: '5' }
    response.writeHead(status, headers).end(JSON.stringify({ code, status, retryable, ...facts }))
  }
const plain =
  (status: number): Step =>
  (response) =>
    response.writeHead(status, { 'content-type': 'text/html' }).end('<h1>gateway</h1>')

describe('a POST', () => {
  test('comes through after a dropped connection, a 503 and a gateway, with one key and one body', async () => {
    const busy = problem(503, 'overloaded', { retryable: true })
    const { url, seen } = await serverThat(drop, busy, plain(502), fine)
    const client = createClient({ baseUrl: `${url}/` })
    expect(await client.post('/v1/intents', { a: 1 })).toEqual({ id: 'pi_1' })
    expect(seen).toHaveLength(4)
    expect(new Set(seen.map(({ key }) => key)).size).toBe(1)
    expect(seen.map(({ body }) => body)).toEqual(Array(4).fill('{"a":1}'))
    expect(seen[0]?.key).toMatch(/^[0-9a-f]{32}$/)
  })

  test('has a fresh key per call, or the one that it is given', async () => {
    const { url, seen } = await serverThat(fine)
    const client = createClient({ baseUrl: url })
    for (const options of [{}, {}, { key: 'order-4711-of-the-shop' }]) await client.post('/v1/orders', {}, options)
    expect(new Set(seen.map(({ key }) => key)).size).toBe(3)
    expect(seen[2]?.key).toBe('order-4711-of-the-shop')
  })

  test('is given back instead of waiting longer than anybody would', async () => {
    const { url, seen } = await serverThat(problem(429, 'rate_limited', { retryable: true, after: '31' }), fine)
    const asked = createClient({ baseUrl: url }).post('/v1/intents', {})
    await expect(asked).rejects.toMatchObject({ code: 'rate_limited', retryAfterSeconds: 31 })
    expect(seen).toHaveLength(1)
  })

  test('is tried again for a key that is in flight, which is a 409 with Retry-After', async () => {
    const busy = problem(409, 'idempotency_in_flight', { retryable: true, after: '0' })
    const { url, seen } = await serverThat(busy, fine)
    await createClient({ baseUrl: url }).post('/v1/intents', {})
    expect(seen).toHaveLength(2)
  })

  test.each([
    ['what is not retryable', problem(503, 'overloaded')],
    ['what somebody has to change first', problem(422, 'insufficient_balance', { retryable: true })],
    ['a refusal', problem(422, 'signature_mismatch')],
  ])('is not tried again for %s', async (_, step) => {
    const { url, seen } = await serverThat(step, fine)
    await expect(createClient({ baseUrl: url }).post('/v1/intents', {})).rejects.toBeInstanceOf(IceError)
    expect(seen).toHaveLength(1)
  })

  test('tells all that a refusal says', async () => {
    const { url } = await serverThat(problem(422, 'insufficient_balance', { retryable: true }))
    const refused = createClient({ baseUrl: url }).post('/v1/intents', {})
    await expect(refused).rejects.toMatchObject({
      name: 'IceError',
      ...{ code: 'insufficient_balance', status: 422, detail: 'what was wrong', next: 'what to do', instance: 'r1' },
      ...{ isRetryable: true, fields: { available: '5' }, message: 'insufficient_balance: what was wrong' },
    })
  })

  test('ends after as many tries as it may, and says with which key to ask again', async () => {
    const { url, seen } = await serverThat(drop)
    const asked = createClient({ baseUrl: url, triesMax: 3 }).post('/v1/intents', {})
    await expect(asked).rejects.toBeInstanceOf(IceUnreachableError)
    await expect(asked).rejects.toMatchObject({ tries: 3, key: seen[0]?.key, status: undefined })
    expect(seen).toHaveLength(3)
  })

  test('gives a silent server up and tries again', async () => {
    const { url, seen } = await serverThat(() => undefined, fine)
    const client = createClient({ baseUrl: url, timeoutMillis: 200 })
    expect(await client.post('/v1/intents', {})).toEqual({ id: 'pi_1' })
    expect(seen).toHaveLength(2)
  })

  test.each([plain(404), plain(200)])('never takes what is not of ICE for an answer', async (step) => {
    const { url, seen } = await serverThat(step)
    const asked = createClient({ baseUrl: url }).post('/v1/intents', {})
    await expect(asked).rejects.toMatchObject({ name: 'IceUnreachableError' })
    expect(seen).toHaveLength(1)
  })

  test('follows no redirect, so credentials go nowhere else', async () => {
    const other = await serverThat(fine)
    const { url } = await serverThat((response) => response.writeHead(307, { location: other.url }).end())
    const credentials = { appId: 'shop', appSecret: 'secret' }
    const asked = createClient({ baseUrl: url, credentials, triesMax: 1 }).post('/v1/intents', {})
    await expect(asked).rejects.toBeInstanceOf(IceUnreachableError)
    expect(other.seen).toEqual([])
  })
})

test('credentials are sent as UTF-8, and none without them', async () => {
  const sent: (string | undefined)[] = []
  const { url } = await serverThat((response, { headers }) => {
    sent.push(headers.authorization)
    response.end('{}')
  })
  await createClient({ baseUrl: url, credentials: { appId: 'shop', appSecret: 'sé:cret' } }).get('/x')
  await createClient({ baseUrl: url }).get('/x')
  expect(sent).toEqual([`Basic ${Buffer.from('shop:sé:cret').toString('base64')}`, undefined])
})

test('query fields are escaped, and left out without a value', async () => {
  const { url } = await serverThat((response, request) => response.end(JSON.stringify(request.url)))
  const client = createClient({ baseUrl: url })
  expect(await client.get('/v1/orders', { reference: 'a&b=c', cursor: undefined, limit: 2 })).toBe(
    '/v1/orders?reference=a%26b%3Dc&limit=2',
  )
})
