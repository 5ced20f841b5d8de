import { createPublicKey, verify } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { createSecrets } from '../../adapters/crypto/secrets.ts'
import { createWebhookKeys } from '../../adapters/crypto/webhook-keys.ts'
import { parseSignatures, renderTestEvent, signedContent } from '../../core/protocol/webhook.ts'

const [older, newer] = [`0x${'01'.repeat(32)}`, `0x${'02'.repeat(32)}`] as const
const body = renderTestEvent({ endpointId: 'we_01k9v3j8h2fq4b6m1x0c7d5e9s', appId: 'shop' }, '2026-09-21T14:13:20.000Z')
const message = { id: 'wd_01k9v3m3c5g7h9j1k3m5n7p9qa', timestamp: 1_790_000_000, body }
const hmac = { endpointId: 'we_1', versions: [1] }

/** As a receiver checks it, with nothing of ours but the published key. */
function isSigned(publicKey: string, headers: Readonly<Record<string, string>>, body: string): boolean {
  const x = Buffer.from(publicKey.slice('whpk_'.length), 'base64').toString('base64url')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  const content = Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`)
  return parseSignatures(headers['webhook-signature'] ?? '').some(
    ({ scheme, base64 }) => scheme === 'v1a' && verify(null, content, key, Buffer.from(base64, 'base64')),
  )
}

test('signs id, timestamp and body in this order, with dots between', () => {
  expect(signedContent(message)).toBe(
    'wd_01k9v3m3c5g7h9j1k3m5n7p9qa.1790000000.{"type":"webhook.test","timestamp":"2026-09-21T14:13:20.000Z","data":{"endpoint":"we_01k9v3j8h2fq4b6m1x0c7d5e9s","app":"shop"}}',
  )
})

/** Source: this file; keys of 32 bytes 01. ed25519 is deterministic (RFC 8032), so the whole header is pinned. */
test('gives the same header for the same message, for ever', () => {
  const keys = createWebhookKeys(createSecrets([older]))
  expect(keys.publicKeys).toMatchInlineSnapshot(`
    [
      "whpk_EKQg4BlGTbi86PHuq5OaOeAzI0vRHPBh6pePHF8MRTw=",
    ]
  `)
  expect(keys.secretOf('we_1', 1)).toMatchInlineSnapshot(`"whsec_4PmUqvFyP3yRvEe4wtEHDRjsxCwp/xJQ6K260Hdr/+I="`)
  expect(keys.sign({ ...message, hmac })).toMatchInlineSnapshot(`
    {
      "webhook-id": "wd_01k9v3m3c5g7h9j1k3m5n7p9qa",
      "webhook-signature": "v1a,i9tJxzy7+FmDvHxfLhvjhDerE9yHQd8BOx3KijRMKKsGjn1p0GypL5zWjSumLTegy2Zr/7MOoRi3PNrzupuQAg== v1,av0/ViaMWQa/k/W1awglJm86xtmw61XVsgwUsnqoPuo=",
      "webhook-timestamp": "1790000000",
    }
  `)
})

test('v1a is checked with node:crypto and the published key, and no byte may differ', () => {
  const keys = createWebhookKeys(createSecrets([older]))
  const headers = keys.sign({ ...message, hmac: { endpointId: 'we_1', versions: [] } })
  const [publicKey] = keys.publicKeys
  expect(headers['webhook-signature']).toMatch(/^v1a,[A-Za-z0-9+/]{86}==$/)
  expect(isSigned(publicKey ?? '', headers, message.body)).toBe(true)
  expect(isSigned(publicKey ?? '', headers, `${message.body} `)).toBe(false)
  expect(isSigned(publicKey ?? '', { ...headers, 'webhook-timestamp': '1790000001' }, message.body)).toBe(false)
  expect(isSigned(publicKey ?? '', { ...headers, 'webhook-id': 'wd_other' }, message.body)).toBe(false)
})

test('v1 is checked with the public standardwebhooks package', () => {
  const keys = createWebhookKeys(createSecrets([older]))
  const timestamp = Math.floor(Date.now() / 1000)
  const headers = keys.sign({ ...message, timestamp, hmac })
  const receiver = new Webhook(keys.secretOf('we_1', 1))
  expect(receiver.verify(message.body, { ...headers })).toMatchObject({ type: 'webhook.test' })
  expect(() => receiver.verify(`${message.body} `, { ...headers })).toThrow()
  const stranger = new Webhook(keys.secretOf('we_2', 1))
  expect(() => stranger.verify(message.body, { ...headers })).toThrow()
})

test('the secrets of before and after a rotation both fit while both are valid', () => {
  const keys = createWebhookKeys(createSecrets([older]))
  const timestamp = Math.floor(Date.now() / 1000)
  const headers = keys.sign({ ...message, timestamp, hmac: { endpointId: 'we_1', versions: [2, 1] } })
  for (const version of [1, 2]) {
    expect(new Webhook(keys.secretOf('we_1', version)).verify(message.body, { ...headers })).toBeDefined()
  }
  expect(() => new Webhook(keys.secretOf('we_1', 3)).verify(message.body, { ...headers })).toThrow()
})

test('all listed secret keys sign: who knows only the old or only the new public key believes it', () => {
  const before = createWebhookKeys(createSecrets([older]))
  const during = createWebhookKeys(createSecrets([newer, older]))
  const after = createWebhookKeys(createSecrets([newer]))
  expect(during.publicKeys).toEqual([...after.publicKeys, ...before.publicKeys])
  const headers = during.sign({ ...message, timestamp: Math.floor(Date.now() / 1000), hmac })
  for (const publicKey of during.publicKeys) expect(isSigned(publicKey, headers, message.body)).toBe(true)
  for (const keys of [before, during, after]) {
    expect(new Webhook(keys.secretOf('we_1', 1)).verify(message.body, { ...headers })).toBeDefined()
  }
})
