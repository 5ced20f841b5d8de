import { describe, expect, test } from 'vitest'
import { createSecrets } from '../../adapters/crypto/secrets.ts'
import { createWebhookKeys } from '../../adapters/crypto/webhook-keys.ts'
import { type PaymentFacts, renderPaymentEvent, renderTestEvent } from '../../core/protocol/webhook.ts'
import { createWebhookReader } from '../../sdk/webhook.ts'

const keys = createWebhookKeys(createSecrets([`0x${'01'.repeat(32)}`]))
const own = { endpointId: 'we_1', appId: 'shop' }
const timestamp = 1_790_000_000
const at = (seconds: number) => ({ nowMillis: () => (timestamp + seconds) * 1000 })
const facts: PaymentFacts = {
  ...{ intentId: 'pi_1', sequence: 5, state: 'finalized', reason: undefined, at: '2026-09-21T14:13:20.000Z' },
  ...{ chainId: 1, digest: '0x01', payer: '0x02', payee: '0x03', token: '0x04', amount: 12_500_000n },
  ...{ orderId: 'po_1', reference: 'Rechnung № 7 – bezahlt', batchId: undefined, txHash: undefined },
  ...{ blockNumber: 7n, blockHash: undefined },
}
const body = renderPaymentEvent(own, facts)
function delivery(text = body, { versions = [1], by = keys } = {}) {
  const headers = by.sign({ id: 'wd_1', timestamp, body: text, hmac: { endpointId: 'we_1', versions } })
  return { headers: { ...headers } as Record<string, string>, body: text }
}

const byKey = { publicKeys: keys.publicKeys, own, ...at(0) }
const bySecret = { hmacSecrets: [keys.secretOf('we_1', 1)], own, ...at(0) }

describe.each([
  ['ed25519', byKey],
  ['HMAC', bySecret],
])('by %s', (_, options) => {
  test('reads an event, from text or bytes, from an object or Headers', async () => {
    const { headers } = delivery()
    const reader = await createWebhookReader(options)
    const expected = {
      type: 'payment.finalized',
      data: { sequence: 5, amount: '12500000', reference: facts.reference },
    }
    expect(await reader.read(headers, body)).toMatchObject(expected)
    expect(await reader.read(new Headers(headers), new TextEncoder().encode(body))).toMatchObject(expected)
  })

  test('refuses one changed byte, id, time or signature', async () => {
    const { headers } = delivery()
    const reader = await createWebhookReader(options)
    const signature = `${headers['webhook-signature']}`
    const swapped = signature.replaceAll(/,(.)/g, (_, first) => `,${first === 'A' ? 'B' : 'A'}`)
    const changes: [Record<string, string>, string][] = [
      [headers, `${body} `],
      [headers, body.replace('12500000', '12500001')],
      [{ ...headers, 'webhook-id': 'wd_2' }, body],
      [{ ...headers, 'webhook-timestamp': `${timestamp + 1}` }, body],
      [{ ...headers, 'webhook-signature': swapped }, body],
      [{ ...headers, 'webhook-signature': 'v1,! v1a,! v2,AAAA' }, body],
    ]
    for (const [changed, text] of changes) {
      await expect(reader.read(changed, text)).rejects.toMatchObject({ reason: 'unsigned' })
    }
  })
})

test('takes an event that is five minutes off, and none that is a second more', async () => {
  const { headers } = delivery()
  for (const seconds of [300, -300]) {
    const reader = await createWebhookReader({ ...byKey, ...at(seconds) })
    expect(await reader.read(headers, body)).toMatchObject({ type: 'payment.finalized' })
  }
  for (const seconds of [301, -301]) {
    const reader = await createWebhookReader({ ...byKey, ...at(seconds) })
    await expect(reader.read(headers, body)).rejects.toMatchObject({ reason: 'timestamp' })
  }
  const reader = await createWebhookReader(byKey)
  for (const text of ['', 'NaN', '1e9', `${timestamp}.0`]) {
    await expect(reader.read({ ...headers, 'webhook-timestamp': text }, body)).rejects.toMatchObject({
      reason: 'timestamp',
    })
  }
})

test('refuses what ICE signed for another endpoint or another app', async () => {
  const reader = await createWebhookReader(byKey)
  for (const other of [
    { ...own, endpointId: 'we_2' },
    { ...own, appId: 'thief' },
  ]) {
    const { headers, body } = delivery(renderPaymentEvent(other, facts))
    await expect(reader.read(headers, body)).rejects.toMatchObject({ reason: 'addressee' })
  }
})

test('refuses the secret of another endpoint, and the key of another deployment', async () => {
  const { headers } = delivery()
  const others = createWebhookKeys(createSecrets([`0x${'02'.repeat(32)}`]))
  for (const options of [{ hmacSecrets: [keys.secretOf('we_2', 1)] }, { publicKeys: others.publicKeys }]) {
    const reader = await createWebhookReader({ ...options, own, ...at(0) })
    await expect(reader.read(headers, body)).rejects.toMatchObject({ reason: 'unsigned' })
  }
})

test('while keys change, one that fits is enough', async () => {
  const during = createWebhookKeys(createSecrets([`0x${'02'.repeat(32)}`, `0x${'01'.repeat(32)}`]))
  const { headers } = delivery(body, { versions: [2, 1], by: during })
  for (const options of [byKey, bySecret, { ...byKey, publicKeys: during.publicKeys }]) {
    expect(await (await createWebhookReader(options)).read(headers, body)).toMatchObject({ type: 'payment.finalized' })
  }
})

test('an HMAC under the name of an ed25519 signature is none', async () => {
  const { headers } = delivery()
  const renamed = `${headers['webhook-signature']}`.replace(/ v1,/, ' v1a,').replace(/^v1a,[^ ]+ /, '')
  const reader = await createWebhookReader({ ...byKey, ...bySecret })
  const sent = { ...headers, 'webhook-signature': renamed }
  await expect(reader.read(sent, body)).rejects.toMatchObject({ reason: 'unsigned' })
})

test('reads a test event', async () => {
  const text = renderTestEvent(own, '2026-09-21T14:13:20.000Z')
  const reader = await createWebhookReader(byKey)
  expect(await reader.read(delivery(text).headers, text)).toMatchObject({ type: 'webhook.test' })
})

test('says so if headers are missing, come twice, or the type is unknown', async () => {
  const reader = await createWebhookReader(byKey)
  const { headers } = delivery()
  for (const name of Object.keys(headers)) {
    const { [name]: _, ...rest } = headers
    await expect(reader.read(rest, body)).rejects.toMatchObject({ reason: 'headers_missing' })
    const twice = { ...headers, [name]: ['a', 'b'] }
    await expect(reader.read(twice, body)).rejects.toMatchObject({ reason: 'headers_missing' })
  }
  for (const text of ['{"type":"payment.unheard"}', 'no json']) {
    await expect(reader.read(delivery(text).headers, text)).rejects.toMatchObject({ reason: 'malformed' })
  }
  await expect(reader.read(headers, Uint8Array.of(0xff))).rejects.toMatchObject({ reason: 'malformed' })
})

test('refuses to begin without a key, or with what is none', async () => {
  for (const options of [
    {},
    { publicKeys: ['whsec_AAAA'] },
    { publicKeys: ['whpk_AAAA'] },
    { hmacSecrets: ['AAAA'] },
  ]) {
    await expect(createWebhookReader({ ...options, own })).rejects.toBeInstanceOf(RangeError)
  }
})
