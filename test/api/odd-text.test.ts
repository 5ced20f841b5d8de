import fc from 'fast-check'
import type { PrivateKeyAccount } from 'viem/accounts'
import { beforeAll, expect, test } from 'vitest'
import { type Answer, createWorld, type World } from './world.ts'

let world: World
let signed: { intent: Record<string, unknown>; signature: string }
let id: string

beforeAll(async () => {
  world = await createWorld({ payerCount: 1 })
  const payer = world.payers[0] as PrivateKeyAccount
  await world.depositFor(payer)
  const { chainId, payee, token } = world
  const prepared = await world.post('/v1/intents/prepare', {
    ...{ chainId, payer: payer.address, payee, token: token.address, amount: '1000000' },
  })
  const good = await world.signed(payer, prepared.body)
  id = (await world.post('/v1/intents', good)).body.id
  signed = { ...good, intent: { ...good.intent } }
})

/** Text that people do not type: controls, halves of pairs, right-to-left marks, long runs, things that look like code. */
const odd = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) }),
  fc.constantFrom(
    '\u0000',
    'a\u0000b',
    '\ud800',
    '\udc00x',
    '\ufeff',
    '\u202e',
    '%00',
    '%',
    '..',
    "'; --",
    '\\u0000',
    '',
  ),
  fc.constantFrom('x', '\u00e9', '\u{1f511}', '\u0000').map((unit) => unit.repeat(2_000)),
)
const order = () => ({
  ...{ chainId: world.chainId, payee: world.payee, token: world.token.address, amount: '1000000', reference: 'r' },
})

/** Each string that a client may send, as a way to send it. */
const places: Record<string, (text: string) => Promise<Answer>> = {
  ...Object.fromEntries(
    ['chainId', 'contract', 'payer', 'payee', 'token', 'amount', 'nonce', 'deadline', 'orderRef'].map((name) => [
      `intent.${name}`,
      (text: string) => world.post('/v1/intents', { ...signed, intent: { ...signed.intent, [name]: text } }),
    ]),
  ),
  'intent.signature': (text) => world.post('/v1/intents', { ...signed, signature: text }),
  'intent.order': (text) => world.post('/v1/intents', { ...signed, order: text }),
  'an item of a batch': (text) => world.post('/v1/intents', { intents: [{ ...signed, order: text }, text] }),
  'an unknown name': (text) => world.post('/v1/intents', { ...signed, [text]: text }),
  ...Object.fromEntries(
    ['payee', 'token', 'amount', 'reference', 'expiresInSeconds'].map((name) => [
      `order.${name}`,
      (text: string) => world.post('/v1/orders', { ...order(), [name]: text }),
    ]),
  ),
  ...Object.fromEntries(
    ['payer', 'order', 'payee', 'token', 'amount'].map((name) => [
      `prepare.${name}`,
      (text: string) =>
        world.post('/v1/intents/prepare', { chainId: world.chainId, payer: signed.intent.payer, [name]: text }),
    ]),
  ),
  ...Object.fromEntries(
    ['signature', 'deadline', 'consent'].map((name) => [
      `cancel.${name}`,
      (text: string) =>
        world.post(`/v1/intents/${id}/cancel`, { signature: signed.signature, deadline: '1', [name]: text }),
    ]),
  ),
  'hold.note': (text) => world.post(`/v1/holds/${id}/reject`, { note: text }, { as: 'operator' }),
  'the body': (text) => world.post('/v1/intents', text),
  ...Object.fromEntries(
    ['intents', 'orders', 'batches'].map((kind) => [
      `the id of ${kind}`,
      (text: string) => world.get(`/v1/${kind}/${encodeURIComponent(text.toWellFormed())}`),
    ]),
  ),
  'an account': (text) => world.get(`/v1/accounts/${encodeURIComponent(text.toWellFormed())}?chainId=1&token=x`),
  'a query': (text) => {
    const value = encodeURIComponent(text.toWellFormed())
    return world.get(`/v1/accounts/${signed.intent.payer}?chainId=${value}&token=${value}&${value}=${value}`)
  },
  'a broken escape': (text) => world.get(`/v1/intents/${encodeURIComponent(text.toWellFormed()).slice(0, -1)}`),
  'an AppID': (text) => world.get(`/v1/intents/${id}`, { headers: { authorization: basic(`${text}:x`) } }),
  'an AppSecret': (text) => world.get(`/v1/intents/${id}`, { headers: { authorization: basic(`wallet:${text}`) } }),
}
const basic = (credentials: string) => `Basic ${Buffer.from(credentials).toString('base64')}`
/** What HTTP lets into a header at all. */
const headerText = fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((unit) => String.fromCharCode(unit)) })

test('odd text in any field is an answer of ours, never a fault', async () => {
  for (const [place, send] of Object.entries(places)) {
    await fc.assert(
      fc.asyncProperty(odd, async (text) => {
        const { status, body } = await send(text)
        expect(status, `${place}: ${JSON.stringify(body)}`).toBeLessThan(500)
      }),
      { numRuns: 25 },
    )
  }
})

test('nor is odd text in a header', async () => {
  const named = ['idempotency-key', 'content-type', 'authorization', 'x-request-id', 'content-length']
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...named), headerText, async (name, text) => {
      const { status } = await world.post('/v1/orders', order(), { headers: { [name]: text } })
      expect(status).toBeLessThan(500)
    }),
    { numRuns: 100 },
  )
})

test.each(['\u0000', 'a\u0000b', '\ud800', 'x\udfff'])(
  'free text with %j is refused, and one beside it is kept',
  async (text) => {
    const reference = await world.post('/v1/orders', { ...order(), reference: text })
    expect([reference.status, reference.body.errors?.[0]?.path]).toEqual([400, 'reference'])
    const note = await world.post(`/v1/holds/${id}/reject`, { note: text }, { as: 'operator' })
    expect([note.status, note.body.errors?.[0]?.path]).toEqual([400, 'note'])
    const named = await world.post('/v1/intents', { ...signed, order: text })
    expect([named.status, named.body.errors?.[0]?.path]).toEqual([400, 'order'])
    const odd = 'Zürich \u{1f511}\u202e\n'
    expect((await world.post('/v1/orders', { ...order(), reference: odd })).body.reference).toBe(odd)
  },
)

test('a fault message is short, however much the client sent', async () => {
  const { status, body } = await world.post('/v1/orders', { ...order(), ['x'.repeat(100_000)]: 1 })
  expect([status, JSON.stringify(body).length < 2_000]).toEqual([400, true])
})
