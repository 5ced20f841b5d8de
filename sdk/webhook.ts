import {
  type Addressee,
  keyPrefix,
  type PaymentEvent,
  parseSignatures,
  paymentEventSchema,
  type SignatureScheme,
  signedContent,
  type TestEvent,
  testEventSchema,
  timestampToleranceSeconds,
  webhookHeaders,
} from '../core/protocol/webhook.ts'
import { WebhookRefusedError } from './errors.ts'

export type WebhookReader = {
  /**
   * The event, once it is sure that ICE wrote it, lately, and to this endpoint. Act once per `endpoint`, `intent` and
   * `sequence`; it comes at least once.
   * @param headers of the request, by their names in lower case if they are no Headers
   * @param body its bytes as they came, or their text: not parsed and written again
   * @throws WebhookRefusedError otherwise
   */
  readonly read: (
    headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>,
    body: string | Uint8Array,
  ) => Promise<PaymentEvent | TestEvent>
}

type Key = { readonly scheme: SignatureScheme; readonly verify: (signature: Bytes, content: Bytes) => Promise<boolean> }
type Bytes = Uint8Array<ArrayBuffer>

/**
 * Needs WebCrypto only: Node, Deno, Bun, edge functions, browsers.
 * @param publicKeys `webhookKeys` of the facts, for `v1a`. @param hmacSecrets of the endpoint, for `v1`. One fit of either is enough
 * @param own the id of your endpoint, as its creation answered, and your AppID
 * @throws RangeError if there is no key at all
 */
export async function createWebhookReader({
  publicKeys = [],
  hmacSecrets = [],
  own,
  nowMillis = Date.now,
}: {
  readonly publicKeys?: readonly string[]
  readonly hmacSecrets?: readonly string[]
  readonly own: Addressee
  readonly nowMillis?: () => number
}): Promise<WebhookReader> {
  const keys = await Promise.all([...publicKeys.map(ed25519KeyOf), ...hmacSecrets.map(hmacKeyOf)])
  if (keys.length === 0) throw new RangeError('no key to check webhooks with: give publicKeys or hmacSecrets')

  async function isSigned(content: Bytes, header: string): Promise<boolean> {
    for (const { scheme, base64 } of parseSignatures(header)) {
      const signature = bytesOf(base64)
      if (signature === undefined) continue
      for (const key of keys) if (key.scheme === scheme && (await key.verify(signature, content))) return true
    }
    return false
  }

  return {
    read: async (headers, body) => {
      const [id, timestamp, signature] = [webhookHeaders.id, webhookHeaders.timestamp, webhookHeaders.signature].map(
        (name) => headerOf(headers, name),
      )
      if (id === undefined || timestamp === undefined || signature === undefined) {
        const names = Object.values(webhookHeaders).join(', ')
        throw new WebhookRefusedError('headers_missing', `a webhook has the headers ${names}, once each`)
      }
      const offSeconds = Math.abs(nowMillis() / 1000 - Number(timestamp))
      if (!/^[0-9]{1,12}$/.test(timestamp) || offSeconds > timestampToleranceSeconds) {
        const detail = `timestamp ${timestamp} is more than ${timestampToleranceSeconds} seconds off`
        throw new WebhookRefusedError('timestamp', detail)
      }
      const text = textOf(body)
      const content = new TextEncoder().encode(signedContent({ id, timestamp: Number(timestamp), body: text }))
      if (!(await isSigned(content, signature))) {
        throw new WebhookRefusedError('unsigned', `no signature fits one of ${keys.length} keys`)
      }
      const event = eventOf(text)
      const { endpoint, app } = event.data
      if (endpoint === own.endpointId && app === own.appId) return event
      const detail = `it is for ${endpoint} of ${app}, not for ${own.endpointId} of ${own.appId}`
      throw new WebhookRefusedError('addressee', detail)
    },
  }
}

function eventOf(text: string): PaymentEvent | TestEvent {
  for (const schema of [paymentEventSchema, testEventSchema]) {
    const parsed = schema.safeParse(jsonOf(text))
    if (parsed.success) return parsed.data
  }
  throw new WebhookRefusedError(
    'malformed',
    'it is signed, but of a type that is not known here: is there a newer SDK?',
  )
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // What is no JSON fits no schema.
    return undefined
  }
}

function headerOf(
  headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>,
  name: string,
): string | undefined {
  const value = headers instanceof Headers ? (headers.get(name) ?? undefined) : headers[name]
  return typeof value === 'string' ? value : undefined
}

/** @throws WebhookRefusedError for bytes that are no UTF-8: decoded otherwise they would not be what was signed */
function textOf(body: string | Uint8Array): string {
  if (typeof body === 'string') return body
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
  } catch {
    throw new WebhookRefusedError('malformed', 'the body is not UTF-8')
  }
}

/** @throws RangeError for what is no public key of ICE */
async function ed25519KeyOf(text: string): Promise<Key> {
  const raw = text.startsWith(keyPrefix.publicKey) ? bytesOf(text.slice(keyPrefix.publicKey.length)) : undefined
  if (raw?.length !== 32) throw new RangeError(`a webhook key is ${keyPrefix.publicKey} and 32 bytes in base64`)
  const key = await crypto.subtle.importKey('raw', raw, { name: 'Ed25519' }, false, ['verify'])
  return { scheme: 'v1a', verify: (signature, content) => crypto.subtle.verify('Ed25519', key, signature, content) }
}

/** @throws RangeError for what is no secret of an endpoint. The secret is not in the message. */
async function hmacKeyOf(text: string): Promise<Key> {
  const raw = text.startsWith(keyPrefix.hmacSecret) ? bytesOf(text.slice(keyPrefix.hmacSecret.length)) : undefined
  if (raw === undefined || raw.length === 0)
    throw new RangeError(`an HMAC secret is ${keyPrefix.hmacSecret} and base64`)
  const key = await crypto.subtle.importKey('raw', raw, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify'])
  return { scheme: 'v1', verify: (signature, content) => crypto.subtle.verify('HMAC', key, signature, content) }
}

/** Undefined for what is no base64. */
function bytesOf(base64: string): Bytes | undefined {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
  } catch {
    return undefined
  }
}
