import { type Credentials, createClient } from '../client.ts'
import { WebhookRefusedError } from '../errors.ts'
import type { Facts } from '../facts.ts'
import { createMerchant, type OrderTerms } from '../merchant.ts'
import { createWebhookReader } from '../webhook.ts'

const passedOn = ['/v1/intents/prepare', '/v1/intents']

/**
 * The three things that a shop's backend does, as one function from Request to Response: it registers orders, passes on what
 * its page asks, with its credentials, and takes webhooks.
 * @param ship is called once per final payment
 */
export async function createBackend({
  api,
  credentials,
  facts,
  endpointId,
  ship,
}: {
  api: string
  credentials: Credentials
  facts: Facts
  endpointId: string
  ship: (reference: string | null) => void
}) {
  const { appId, appSecret } = credentials
  const merchant = createMerchant({ client: createClient({ baseUrl: api, credentials }), facts, appId })
  const webhooks = await createWebhookReader({ publicKeys: facts.webhookKeys, own: { endpointId, appId } })
  // A table of your database, with a unique key.
  const seen = new Set<string>()

  return {
    /** Same cart, same key, same order: however often the shop asks. */
    order: (terms: OrderTerms, cartId: string) =>
      merchant.createOrder(terms, { key: `cart-${cartId.padStart(16, '0')}` }),

    answer: async (request: Request): Promise<Response> => {
      const { pathname } = new URL(request.url)
      if (passedOn.includes(pathname)) {
        const headers = new Headers({ authorization: `Basic ${btoa(`${appId}:${appSecret}`)}` })
        for (const name of ['content-type', 'idempotency-key']) headers.set(name, request.headers.get(name) ?? '')
        const answer = await fetch(api + pathname, { method: 'POST', headers, body: await request.text() })
        const kept = new Headers()
        for (const name of ['content-type', 'retry-after']) {
          const value = answer.headers.get(name)
          if (value !== null) kept.set(name, value)
        }
        return new Response(answer.body, { status: answer.status, headers: kept })
      }
      if (pathname !== '/webhook') return new Response(null, { status: 404 })
      try {
        const event = await webhooks.read(request.headers, await request.text())
        if (event.type === 'payment.finalized') {
          const name = `${event.data.endpoint}/${event.data.intent}/${event.data.sequence}`
          if (!seen.has(name)) ship(event.data.reference)
          seen.add(name)
        }
        return new Response(null, { status: 204 })
      } catch (error) {
        if (error instanceof WebhookRefusedError) return new Response(null, { status: 401 })
        throw error
      }
    },
  }
}
