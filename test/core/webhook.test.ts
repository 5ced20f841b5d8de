import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { intentStates } from '../../core/intent.ts'
import type { Posted } from '../../core/ports/post.ts'
import {
  formatSignatures,
  type PaymentFacts,
  parseSignatures,
  paymentEventSchema,
  paymentEventStates,
  renderPaymentEvent,
  renderTestEvent,
  testEventSchema,
} from '../../core/protocol/webhook.ts'
import { judgeTry, retrySeconds } from '../../core/webhook.ts'
import { judgeWebhookUrl } from '../../core/webhook-url.ts'

const answered = (status: number, retryAfter?: string): Posted => ({ outcome: 'answered', status, retryAfter })
const judge = (posted: Posted, { failures = 0, chance = 0.5, nowMillis = 0 } = {}) =>
  judgeTry({ posted, failures, nowMillis, chance })

describe('a try', () => {
  test.each([200, 201, 202, 204, 299])('answered with %i is a success', (status) => {
    expect(judge(answered(status))).toEqual({ outcome: 'delivered', status })
  })

  test.each([199, 300, 301, 302, 307, 308, 400, 404, 410, 429, 500, 503])('answered with %i is a failure', (status) => {
    expect(judge(answered(status))).toMatchObject({ outcome: 'retry', status, isGone: status === 410 })
  })

  test('is repeated after 5 s, 5 m, 30 m, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h, and the tenth failure is the last', () => {
    const waits = Array.from({ length: 10 }, (_, failures) =>
      judge({ outcome: 'unanswered', fault: 'tls_failed' }, { failures }),
    )
    expect(waits.map((each) => (each.outcome === 'retry' ? each.afterMillis / 1000 : each.outcome))).toEqual([
      5,
      300,
      1_800,
      ...[2, 5, 10, 14, 20, 24].map((hours) => hours * 3_600),
      'dead',
    ])
    expect(retrySeconds).toHaveLength(10)
  })

  test('is repeated a tenth of the delay earlier or later at most', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 8 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (failures, chance) => {
          const verdict = judge(answered(500), { failures, chance })
          const seconds = retrySeconds[failures + 1] ?? Number.NaN
          if (verdict.outcome !== 'retry') throw new Error(verdict.outcome)
          expect(verdict.afterMillis).toBeGreaterThanOrEqual(seconds * 900)
          expect(verdict.afterMillis).toBeLessThanOrEqual(seconds * 1_100)
        },
      ),
    )
  })

  test.each([
    ['120', 120],
    ['2', 5],
    ['3600', 3_600],
    ['3601', 3_600],
    ['999999999999999999999', 3_600],
    ['Thu, 01 Jan 1970 00:10:00 GMT', 600],
    ['Wed, 31 Dec 1969 23:00:00 GMT', 5],
    ['-5', 5],
    ['Xyz, 99 Abc 1970 99:99:99 GMT', 5],
    ['soon', 5],
    ['', 5],
  ])('that is told to come back after %j is repeated after %i seconds', (retryAfter, seconds) => {
    expect(judge(answered(429, retryAfter))).toMatchObject({ afterMillis: seconds * 1000 })
  })

  test('is not repeated earlier because it was told so', () => {
    expect(judge(answered(503, '60'), { failures: 3 })).toMatchObject({ afterMillis: 7_200_000 })
  })
})

describe('a URL of an endpoint', () => {
  const verdict = (url: string, allowsLoopback = false) => judgeWebhookUrl(url, { allowsLoopback })

  test.each([
    ['https://shop.example/hook?a=1', 'https://shop.example/hook?a=1'],
    ['https://SHOP.example', 'https://shop.example/'],
    ['https://shop.example:443/', 'https://shop.example/'],
    ['https://shop.example:1024/', 'https://shop.example:1024/'],
    ['https://商店.example/', 'https://xn--czrs0t.example/'],
  ])('%s is taken', (text, url) => {
    expect(verdict(text)).toEqual({ outcome: 'ok', url })
  })

  test.each([
    'http://shop.example/',
    'ftp://shop.example/',
    'file:///etc/passwd',
    'https://user@shop.example/',
    'https://user:secret@shop.example/',
    'https://shop.example/#part',
    'https://shop.example:1023/',
    'https://shop.example:22/',
    'https://127.0.0.1/',
    'https://8.8.8.8/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://[::1]/',
    'https://[2606:4700::1111]/',
    'https://localhost/',
    'https://redis:6379/',
    'shop.example/hook',
    '//shop.example/hook',
    '',
    `https://shop.example/${'x'.repeat(2_048)}`,
  ])('%j is refused', (text) => {
    expect(verdict(text)).toMatchObject({ outcome: 'refused', code: 'webhook_url_invalid' })
  })

  test('of this machine is taken in development only, and of another one by the same rules as ever', () => {
    for (const text of ['http://127.0.0.1:4000/', 'http://localhost:80/', 'http://[::1]:1/', 'https://localhost/']) {
      expect(verdict(text).outcome).toBe('refused')
      expect(verdict(text, true)).toMatchObject({ outcome: 'ok' })
    }
    for (const text of ['http://shop.example/', 'https://10.0.0.1/', 'ftp://localhost/', 'http://user@localhost/']) {
      expect(verdict(text, true).outcome).toBe('refused')
    }
  })
})

describe('an event', () => {
  const addressee = { endpointId: 'we_01k9v3j8h2fq4b6m1x0c7d5e9s', appId: 'shop' }
  const facts: PaymentFacts = {
    ...{ intentId: 'pi_01k9v3m0yqe9n8z6w2t4r5x7ac', sequence: 5, state: 'finalized', reason: undefined },
    ...{ at: '2026-11-23T09:30:00.000Z', chainId: 31337, digest: `0x${'5d'.repeat(32)}` },
    payer: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
    payee: '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC',
    token: '0x5FbDB2315678afecb367f032d93F642f64180aa3',
    amount: 2n ** 256n - 1n,
    ...{ orderId: 'po_01k9v3kzs4fbgvq1m7h0c2d9ea', reference: 'invoice "7"', batchId: undefined },
    ...{ txHash: `0x${'ab'.repeat(32)}`, blockNumber: 2n ** 60n, blockHash: undefined },
  }

  // The order of fields is part of what is signed: a change of it is a change of every body.
  test('is rendered to these very bytes', () => {
    expect(renderPaymentEvent(addressee, facts)).toBe(
      `{"type":"payment.finalized","timestamp":"2026-11-23T09:30:00.000Z","data":{"endpoint":"we_01k9v3j8h2fq4b6m1x0c7d5e9s","app":"shop","intent":"pi_01k9v3m0yqe9n8z6w2t4r5x7ac","sequence":5,"state":"finalized","reason":null,"chainId":31337,"digest":"0x${'5d'.repeat(32)}","payer":"0x70997970C51812dc3A010C7d01b50e0d17dc79C8","payee":"0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC","token":"0x5FbDB2315678afecb367f032d93F642f64180aa3","amount":"115792089237316195423570985008687907853269984665640564039457584007913129639935","order":"po_01k9v3kzs4fbgvq1m7h0c2d9ea","reference":"invoice \\"7\\"","batch":null,"txHash":"0x${'ab'.repeat(32)}","blockNumber":"1152921504606846976","blockHash":null}}`,
    )
  })

  test('is read back by the schema that is published', () => {
    expect(paymentEventSchema.parse(JSON.parse(renderPaymentEvent(addressee, facts)))).toMatchObject({
      data: { sequence: 5 },
    })
    expect(testEventSchema.parse(JSON.parse(renderTestEvent(addressee, facts.at))).data).toEqual({
      endpoint: addressee.endpointId,
      app: addressee.appId,
    })
  })

  test('differs for each endpoint and app, so that one’s cannot be shown to another', () => {
    const bodies = [
      addressee,
      { ...addressee, endpointId: 'we_01k9v3j8h2fq4b6m1x0c7d5e9t' },
      { ...addressee, appId: 'rival' },
    ].flatMap((each) => [renderPaymentEvent(each, facts), renderTestEvent(each, facts.at)])
    expect(new Set(bodies).size).toBe(6)
  })

  test('tells every state that a payment can have', () => {
    expect([...paymentEventStates].toSorted()).toEqual([...intentStates].toSorted())
  })
})

test('signatures survive being written and read; what is unknown or broken is skipped', () => {
  const signatures = [
    { scheme: 'v1a', base64: 'YWJj' },
    { scheme: 'v1', base64: 'ZGVm' },
  ] as const
  expect(formatSignatures(signatures)).toBe('v1a,YWJj v1,ZGVm')
  expect(parseSignatures('v9,zzzz v1a,YWJj v1 v1,a,b  v1,ZGVm')).toEqual(signatures)
  expect(parseSignatures('')).toEqual([])
})
