import { createHmac, createPrivateKey, createPublicKey, type KeyObject, sign as signWith } from 'node:crypto'
import type { Secrets } from '../../core/ports/secrets.ts'
import type { WebhookKeys } from '../../core/ports/webhook-keys.ts'
import {
  formatSignatures,
  keyPrefix,
  signedContent,
  type WebhookSignature,
  webhookHeaders,
} from '../../core/protocol/webhook.ts'

/** PKCS #8 of an ed25519 key up to its 32-byte seed. @see RFC 8410 §7 */
const pkcs8Head = Buffer.from('302e020100300506032b657004220420', 'hex')
/** The one subject of the deployment's signing key: all endpoints check with the same public keys. */
const subject = 'deployment'

/** Standard Webhooks on node:crypto: ed25519 `v1a` always, HMAC-SHA256 `v1` for endpoints that want it. */
export function createWebhookKeys(secrets: Secrets): WebhookKeys {
  const signers = secrets.derive('webhook-ed25519', subject).map(keyFrom)
  // The newest key's first: a receiver that stops at the first that fits does the least.
  const hmacKeys = (endpointId: string, version: number) => secrets.derive('webhook-hmac', `${endpointId}/${version}`)
  return {
    publicKeys: signers.map(publicKeyOf),
    secretOf: (endpointId, version) => keyPrefix.hmacSecret + base64(hmacKeys(endpointId, version)[0]),
    sign: ({ id, timestamp, body, hmac }) => {
      const content = Buffer.from(signedContent({ id, timestamp, body }))
      const signatures: WebhookSignature[] = [
        ...signers.map((key) => ({ scheme: 'v1a' as const, base64: base64(signWith(null, content, key)) })),
        ...hmac.versions
          .flatMap((version) => hmacKeys(hmac.endpointId, version))
          .map((key) => ({
            scheme: 'v1' as const,
            base64: createHmac('sha256', key).update(content).digest('base64'),
          })),
      ]
      return {
        [webhookHeaders.id]: id,
        [webhookHeaders.timestamp]: `${timestamp}`,
        [webhookHeaders.signature]: formatSignatures(signatures),
      }
    },
  }
}

function keyFrom(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([pkcs8Head, seed]), format: 'der', type: 'pkcs8' })
}

function publicKeyOf(key: KeyObject): string {
  const { x } = createPublicKey(key).export({ format: 'jwk' })
  return keyPrefix.publicKey + Buffer.from(x ?? '', 'base64url').toString('base64')
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
