import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type Addressee,
  keyPrefix,
  type PaymentEvent,
  parseSignatures,
  paymentEventSchema,
  signedContent,
  timestampToleranceSeconds,
  webhookHeaders,
} from '../../core/protocol/webhook.ts'

const bodyBytesMax = 65_536

/** The backend of an app as far as webhooks go: takes what is signed and addressed rightly and keeps it in the order it came. */
export type Receiver = {
  readonly url: string
  /** Whose webhooks it takes. An endpoint has its id after its URL, so what comes before this is said waits for it. */
  readonly takeFor: (own: Addressee) => void
  readonly taken: readonly PaymentEvent[]
  readonly refusedCount: () => number
  readonly stop: () => Promise<void>
}

/** @param publicKeys `webhookKeys` of /.well-known/ice.json */
export async function startReceiver(publicKeys: readonly string[]): Promise<Receiver> {
  const keys = publicKeys.map(keyFrom)
  const taken: PaymentEvent[] = []
  const seen = new Set<string>()
  const own = Promise.withResolvers<Addressee>()
  let refused = 0

  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of request) {
      bytes += (chunk as Buffer).length
      if (bytes > bodyBytesMax) return void response.writeHead(413, { connection: 'close' }).end()
      chunks.push(chunk as Buffer)
    }
    const body = Buffer.concat(chunks).toString()
    const header = (name: string): string => `${request.headers[name] ?? ''}`
    const id = header(webhookHeaders.id)
    const timestamp = Number(header(webhookHeaders.timestamp))
    const event = isSigned({ id, timestamp, body, signature: header(webhookHeaders.signature) }, keys)
      ? paymentEventSchema.parse(JSON.parse(body))
      : undefined
    if (event === undefined || !isFor(await own.promise, event)) {
      refused++
      return void response.writeHead(401).end()
    }
    // At least once means sometimes twice.
    const { endpoint, intent, sequence } = event.data
    const name = `${endpoint}/${intent}/${sequence}`
    if (!seen.has(name)) taken.push(event)
    seen.add(name)
    response.writeHead(204).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    takeFor: own.resolve,
    taken,
    refusedCount: () => refused,
    stop: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

type Message = { readonly id: string; readonly timestamp: number; readonly body: string; readonly signature: string }

/** One signature that fits one key is enough; what is older than the tolerance may be an old webhook, played again. */
function isSigned({ id, timestamp, body, signature }: Message, keys: readonly KeyObject[]): boolean {
  if (!(Math.abs(Date.now() / 1000 - timestamp) <= timestampToleranceSeconds)) return false
  const content = Buffer.from(signedContent({ id, timestamp, body }))
  return parseSignatures(signature).some(
    ({ scheme, base64 }) =>
      scheme === 'v1a' && keys.some((key) => verify(null, content, key, Buffer.from(base64, 'base64'))),
  )
}

/** What is signed for another endpoint was posted here by whoever received it there. */
function isFor({ endpointId, appId }: Addressee, { data }: PaymentEvent): boolean {
  return data.endpoint === endpointId && data.app === appId
}

function keyFrom(publicKey: string): KeyObject {
  const x = Buffer.from(publicKey.slice(keyPrefix.publicKey.length), 'base64').toString('base64url')
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
}
