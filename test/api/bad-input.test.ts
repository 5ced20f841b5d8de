import { beforeAll, describe, expect, test } from 'vitest'
import { type Answer, createWorld, type World } from './world.ts'

let world: World
// biome-ignore lint/suspicious/noExplicitAny: JSON of our own answers
let prepared: any
let good: { intent: Record<string, unknown>; signature: string }
const now = () => Math.floor(world.clock.nowMillis() / 1000)

beforeAll(async () => {
  world = await createWorld({ payerCount: 2 })
  const [payer] = world.payers
  if (payer === undefined) throw new Error('no payer')
  await world.depositFor(payer)
  const { chainId, payee, token } = world
  const terms = { chainId, payer: payer.address, payee, token: token.address, amount: '1000000' }
  const answer = await world.post('/v1/intents/prepare', terms)
  prepared = answer.body
  good = await world.signed(payer, prepared)
})

/** Sends, and sees that what the books hold did not change. */
async function refused(send: () => Promise<Answer>, status: number, code: string): Promise<Answer> {
  const before = await world.stored()
  const answer = await send()
  expect([answer.status, answer.body.code]).toEqual([status, code])
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  expect(answer.body.type).toBe(`http://localhost/errors/${code}`)
  expect(answer.body.instance).toBe(answer.headers.get('x-request-id'))
  expect(await world.stored()).toEqual(before)
  return answer
}
const submit = (body: unknown) => () => world.post('/v1/intents', body as object)
const signedWith = async (fields: object) => {
  const [payer] = world.payers
  if (payer === undefined) throw new Error('no payer')
  return world.signed(payer, prepared, fields)
}

describe('bad input is refused with its code, and nothing is stored', () => {
  test('JSON that breaks says where', async () => {
    const answer = await refused(() => world.post('/v1/intents', '{"intent":\n  {nothing: 1}}'), 400, 'malformed_json')
    expect(answer.body.detail).toBe('The JSON breaks at line 2, column 4.')
    const bare = await refused(() => world.post('/v1/intents', '{"intent": x}'), 400, 'malformed_json')
    expect(bare.body.detail).toBe('The JSON breaks at an unexpected x')
  })

  test('JSON that ends too early', () => refused(() => world.post('/v1/intents', '{"intent":'), 400, 'malformed_json'))

  test('an unknown field, outside and inside the intent', async () => {
    await refused(submit({ ...good, extra: 1 }), 400, 'invalid_request')
    const answer = await refused(submit({ ...good, intent: { ...good.intent, memo: 'x' } }), 400, 'invalid_request')
    expect(answer.body.errors).toEqual([{ path: 'intent', message: 'Unrecognized key: "memo"' }])
  })

  test.each([
    [1000000],
    ['1e6'],
    ['1000000.0'],
    ['-1'],
    ['+1'],
    [' 1'],
    ['1,000'],
    ['01'],
    ['0x10'],
    [null],
    [true],
    [`1${'0'.repeat(78)}`],
  ])('the amount %j', async (amount) => {
    const answer = await refused(submit({ ...good, intent: { ...good.intent, amount } }), 400, 'invalid_request')
    expect(answer.body.errors[0].path).toBe('intent.amount')
  })

  test('numbers where decimal strings belong, and a chainId as a string', async () => {
    for (const fields of [{ nonce: 1 }, { deadline: 1790000000 }, { chainId: '31337' }, { chainId: 1.5 }]) {
      await refused(submit({ ...good, intent: { ...good.intent, ...fields } }), 400, 'invalid_request')
    }
  })

  test('an address whose capitals do not fit its checksum', async () => {
    const payee = world.payee.replace(/[a-f](?=[^a-f]*$)/i, (digit) =>
      digit === digit.toLowerCase() ? digit.toUpperCase() : digit.toLowerCase(),
    )
    await refused(submit({ ...good, intent: { ...good.intent, payee } }), 422, 'address_checksum_invalid')
    const { chainId, token } = world
    const order = { chainId, payee, token: token.address, amount: '1000', reference: 'r' }
    await refused(() => world.post('/v1/orders', order), 422, 'address_checksum_invalid')
  })

  test('another chain, another contract, another token', async () => {
    await refused(submit(await signedWith({ chainId: 1 })), 422, 'wrong_chain')
    await refused(submit(await signedWith({ contract: world.payee })), 422, 'wrong_contract')
    await refused(submit(await signedWith({ token: world.payee })), 422, 'token_unknown')
  })

  test('a deadline that is over, one second too near, and one second too far', async () => {
    for (const deadline of [now() - 1, now() + 55]) {
      await refused(submit(await signedWith({ deadline: `${deadline}` })), 422, 'intent_expired')
    }
    await refused(submit(await signedWith({ deadline: `${now() + 12 * 3600 + 5}` })), 422, 'deadline_too_far')
  })

  test('the signature of somebody else, and who it was', async () => {
    const stranger = world.payers[1]
    if (stranger === undefined) throw new Error('no stranger')
    const { intent, signature } = await world.signed(stranger, prepared)
    const answer = await refused(submit({ intent, signature }), 422, 'signature_mismatch')
    expect(answer.body.recovered).toBe(stranger.address)
  })

  test('a signature with any field changed afterwards', async () => {
    await refused(submit({ ...good, intent: { ...good.intent, amount: '1000001' } }), 422, 'signature_mismatch')
    await refused(submit({ ...good, intent: { ...good.intent, nonce: '63' } }), 422, 'signature_mismatch')
  })

  test('the high-s twin, a short one, and a v that is none', async () => {
    const signature = good.signature as `0x${string}`
    const wrong = [
      world.highS(signature),
      signature.slice(0, -4),
      `${signature.slice(0, -2)}05`,
      `0x${'00'.repeat(65)}`,
    ]
    for (const each of wrong) await refused(submit({ ...good, signature: each }), 422, 'signature_malformed')
  })

  test('more than the payer has', async () => {
    const answer = await refused(
      submit(await signedWith({ amount: '49999999', nonce: '99' })),
      422,
      'nonce_out_of_window',
    )
    expect(answer.body.retryable).toBe(true)
    const poor = await refused(submit(await signedWith({ amount: '100000001' })), 422, 'insufficient_balance')
    expect(poor.body.missing).toBe('1')
  })

  test('an amount outside the limits of the token', async () => {
    await refused(submit(await signedWith({ amount: '999' })), 422, 'amount_out_of_range')
    await refused(submit(await signedWith({ amount: '1000000001' })), 422, 'amount_out_of_range')
  })

  test('a payee that cannot be paid', async () => {
    for (const payee of [`0x${'0'.repeat(40)}`, world.vault, world.token.address, world.payers[0]?.address]) {
      await refused(submit(await signedWith({ payee })), 422, 'payee_invalid')
    }
  })

  test('an order that does not exist', async () => {
    await refused(submit({ ...good, order: 'po_01k9v3kzs4fbgvq1m7h0c2d9ea' }), 422, 'order_not_found')
    await refused(submit({ ...good, order: 'nonsense' }), 422, 'order_not_found')
  })

  test('a payer who is not bound to this relayer', async () => {
    const stranger = world.payers[1]
    if (stranger === undefined) throw new Error('no stranger')
    const intent = { ...prepared.intent, payer: stranger.address }
    const { signature } = await world.signed(stranger, { ...prepared, intent })
    const answer = await refused(submit({ intent, signature }), 422, 'account_not_bound')
    expect(answer.body).toMatchObject({ boundRelayerId: 0, relayerId: 1 })
  })

  test('a body over 1 MiB, with a length and in chunks', async () => {
    const body = JSON.stringify({ ...good, padding: 'x'.repeat(1_048_576) })
    await refused(() => world.post('/v1/intents', body), 413, 'body_too_large')
    const chunk = new TextEncoder().encode('x'.repeat(65_536))
    let left = 17
    const stream = new ReadableStream({
      pull: (controller) => (left-- > 0 ? controller.enqueue(chunk) : controller.close()),
    })
    const before = await world.stored()
    const response = await world.app.request('/v1/intents', {
      method: 'POST',
      body: stream,
      duplex: 'half',
      headers: { 'transfer-encoding': 'chunked', authorization: `Basic ${btoa('wallet:wallet-secret')}` },
    } as RequestInit)
    expect(response.status).toBe(413)
    expect(await world.stored()).toEqual(before)
  })

  test('a stranger’s body, which nobody reads', async () => {
    let pulls = 0
    const stream = new ReadableStream({
      pull: (controller) => {
        pulls++
        controller.enqueue(new Uint8Array(65_536))
      },
    })
    const response = await world.app.request('/v1/intents', {
      method: 'POST',
      body: stream,
      duplex: 'half',
      headers: { 'transfer-encoding': 'chunked', authorization: `Basic ${btoa('wallet:x')}` },
    } as RequestInit)
    expect([response.status, pulls <= 1]).toEqual([401, true])
  })

  test('an AppID that HTTP Basic cannot carry, before it is registered', async () => {
    for (const id of ['a:b', 'a b', 'a\u0000', '', 'x'.repeat(129)]) {
      const app = { id, name: 'x', role: 'app', secretSha256: new Uint8Array(32) } as const
      await expect(world.ports.apps.put(app)).rejects.toThrow(RangeError)
    }
  })

  test('501 intents; 0 intents', async () => {
    await refused(submit({ intents: Array(501).fill({}) }), 422, 'too_many_intents')
    await refused(submit({ intents: [] }), 400, 'invalid_request')
  })

  test('a body that is no JSON by its own word', () =>
    refused(
      () => world.post('/v1/intents', 'a=b', { headers: { 'content-type': 'text/plain' } }),
      415,
      'unsupported_media_type',
    ))

  test('no key, a short key, a key with a space', async () => {
    await refused(
      () => world.post('/v1/intents', good, { headers: { 'idempotency-key': '' } }),
      400,
      'idempotency_key_missing',
    )
    await refused(() => world.post('/v1/intents', good, { key: 'fifteen-letters' }), 400, 'invalid_request')
    await refused(() => world.post('/v1/intents', good, { key: 'seventeen letters' }), 400, 'invalid_request')
  })

  test('no credentials, an unknown app and a wrong secret, the last two in the same words', async () => {
    const as = (value: string) => ({ headers: { authorization: value } })
    await refused(() => world.post('/v1/intents', good, as('')), 401, 'unauthenticated')
    const unknown = await refused(
      () => world.post('/v1/intents', good, as(`Basic ${btoa('nobody:x')}`)),
      401,
      'unauthenticated',
    )
    const wrong = await refused(
      () => world.post('/v1/intents', good, as(`Basic ${btoa('wallet:x')}`)),
      401,
      'unauthenticated',
    )
    expect({ ...unknown.body, instance: '' }).toEqual({ ...wrong.body, instance: '' })
    expect(wrong.headers.get('www-authenticate')).toContain('Basic')
  })

  test('ids nobody has and ids that are none, in the same words', async () => {
    for (const kind of ['intents/pi', 'orders/po', 'batches/sb']) {
      const [path, prefix] = kind.split('/')
      const unknown = await refused(
        () => world.get(`/v1/${path}/${prefix}_01k9v3kzs4fbgvq1m7h0c2d9ea`),
        404,
        'not_found',
      )
      const malformed = await refused(() => world.get(`/v1/${path}/..nonsense`), 404, 'not_found')
      expect({ ...unknown.body, instance: '' }).toEqual({ ...malformed.body, instance: '' })
    }
  })

  test('a method that a path does not take, with those it takes', async () => {
    const answer = await refused(() => world.send('DELETE', '/v1/orders', undefined), 405, 'method_not_allowed')
    expect(answer.headers.get('allow')).toBe('POST, GET, HEAD')
  })

  test('and the good one passes after all of them', async () => {
    const answer = await world.post('/v1/intents', good)
    expect([answer.status, answer.body.state]).toEqual([201, 'accepted'])
    await refused(submit(await signedWith({ amount: '1000001' })), 409, 'nonce_taken')
  })
})
