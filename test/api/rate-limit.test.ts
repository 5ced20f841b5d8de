import { sql } from 'kysely'
import { beforeAll, describe, expect, test } from 'vitest'
import { limitsDefault } from '../../api/limits.ts'
import { createWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld({
    payerCount: 0,
    ports: {
      limits: { ...limitsDefault, appRequestsMax: 3, appIntentsMax: 10, failedLoginsMax: 2, watchRequestsMax: 2 },
    },
  })
})

describe('a rate limit', () => {
  test('tells what is left, refuses the fourth request of an app, says when to come again, and stops no other app', async () => {
    const answers = []
    for (let sent = 0; sent < 4; sent++) answers.push(await world.get('/v1/intents'))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429])
    expect(answers.map(({ headers }) => headers.get('ratelimit')?.replace(/t=\d+$/, ''))).toEqual([
      '"app";r=2;',
      '"app";r=1;',
      '"app";r=0;',
      '"app";r=0;',
    ])
    expect(answers.map(({ headers }) => headers.get('ratelimit-policy'))).toEqual(answers.map(() => '"app";q=3;w=10'))
    const refused = answers.at(-1)
    expect(refused?.body).toMatchObject({ code: 'rate_limited', retryable: true, countMax: 3, windowSeconds: 10 })
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(Number(refused?.headers.get('retry-after'))).toBeLessThanOrEqual(10)
    expect((await world.get('/v1/intents', { as: 'merchant' })).status).toBe(200)
  })

  test('takes no key: the same request passes when its time has come', async () => {
    const key = 'a-key-that-was-refused'
    const refused = await world.post('/v1/orders', {}, { key })
    expect(refused.body.code).toBe('rate_limited')
    const { rows } = await sql`select from idempotency where key = ${key}`.execute(world.database)
    expect(rows).toEqual([])
  })

  test('counts the payments of a request and not the request', async () => {
    const submit = (count: number) =>
      world.post('/v1/intents', { intents: Array.from({ length: count }, () => ({})) }, { as: 'operator' })
    expect((await submit(5)).status).toBe(200)
    expect((await submit(6)).body).toMatchObject({ code: 'rate_limited', countMax: 10, windowSeconds: 10 })
  })

  test('counts what one address asks of the streams of payments, right links and wrong ones, and leaves its API alone', async () => {
    const path = '/v1/intents/pi_none/stream?capability=guess'
    const answers = [await world.get(path), await world.get(path), await world.get(path)]
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 429])
    const refused = answers.at(-1)
    expect(refused?.body).toMatchObject({ code: 'rate_limited', countMax: 2, windowSeconds: 60 })
    expect(refused?.headers.get('ratelimit-policy')).toBe('"watch";q=2;w=60')
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0)
    // A page reads why.
    expect(refused?.headers.get('access-control-allow-origin')).toBe('*')
    expect((await world.get('/v1/intents', { as: 'operator' })).status).toBe(200)
  })

  test('bounds guesses of AppIDs from one address', async () => {
    const guess = (id: string) =>
      world
        .get('/v1/intents', { headers: { authorization: `Basic ${btoa(`${id}:secret`)}` } })
        .then(({ status }) => status)
    expect([await guess('one'), await guess('two'), await guess('three')]).toEqual([401, 401, 429])
    expect((await world.get('/healthz')).status).toBe(200)
  })
})
