import type { Address, Hex } from 'viem'
import { signableConsent, signableOwnership, type TypedDataJson } from '../core/protocol/signable.ts'
import { domainOf } from '../core/protocol/typed-data.ts'
import type { PaymentEventState } from '../core/protocol/webhook.ts'
import { expectTypedData, uintOf } from './check.ts'
import type { Client, Query } from './client.ts'
import { SigningRefusedError } from './errors.ts'
import { chainOf, type Facts } from './facts.ts'
import type { IntentView } from './intent.ts'
import { type Provider, signWith } from './signing.ts'

const pageLimit = 100
/** How far the clock of ICE may be from this one. */
const issuedSecondsOffMax = 15 * 60

export type OrderTerms = {
  readonly chainId: number
  readonly payee: Address
  readonly token: Address
  /** Atomic units. */
  readonly amount: bigint
  /** Your own name for it; stays with ICE. */
  readonly reference: string
  /** 60 to 2,592,000; an hour by default. */
  readonly expiresInSeconds?: number
}
export type OrderView = {
  readonly id: string
  /** `claimed`: `payment` is open or final for it. Ship when its state is `finalized`. */
  readonly state: 'open' | 'claimed' | 'expired'
  readonly chainId: number
  readonly payee: string
  readonly token: string
  readonly amount: string
  readonly reference: string
  readonly orderHash: string
  /** What the payer signs: hand it to your page together with `id`. */
  readonly orderRef: string
  readonly salt: string
  readonly payment: { readonly id: string; readonly state: string } | null
  readonly expiresAt: string
  readonly createdAt: string
}
export type PayeeView = { readonly chainId: number; readonly payee: string; readonly issuedAt: string }
export type EndpointView = {
  readonly id: string
  readonly url: string
  readonly states: readonly string[] | null
  readonly hmac: boolean
  readonly disabled: { readonly reason: 'app' | 'gone' | 'failing'; readonly since: string } | null
}

export type Merchant = {
  /** @param options.key the same key and terms give the same order: derive it from your own id of the order */
  readonly createOrder: (terms: OrderTerms, options?: { readonly key?: string }) => Promise<OrderView>
  readonly readOrder: (id: string) => Promise<OrderView>
  /** Newest first, page by page. `createdFrom` inclusive, `createdTo` exclusive, ISO 8601. */
  readonly listOrders: (filter?: Query) => AsyncGenerator<OrderView, void, undefined>
  readonly readPayment: (id: string) => Promise<IntentView>
  /** What your app submitted, what pays its orders, and what pays payees that it owns. */
  readonly listPayments: (filter?: Query) => AsyncGenerator<IntentView, void, undefined>
  /** Has the payee sign that it belongs to this app, which is then told of all payments to it. */
  readonly provePayee: (provider: Provider, payee: { chainId: number; payee: Address }) => Promise<PayeeView>
  /**
   * The payee gives up a promised payment, so that it can be cancelled.
   * @param paymentDigest as in the acknowledgement or webhook that you have of it
   */
  readonly signConsent: (
    provider: Provider,
    promise: { chainId: number; payee: Address; paymentDigest: Hex },
  ) => Promise<Hex>
  readonly createEndpoint: (endpoint: {
    readonly url: string
    /** All, if left out. */
    readonly states?: readonly PaymentEventState[]
    readonly hmac?: boolean
  }) => Promise<EndpointView>
  /** With the secret for `v1`, if it has `hmac`. */
  readonly readEndpoint: (id: string) => Promise<EndpointView & { readonly hmacSecret: string | null }>
  readonly listEndpoints: () => AsyncGenerator<EndpointView, void, undefined>
  readonly removeEndpoint: (id: string) => Promise<void>
  /** Sends a `webhook.test` on the same way as any other. */
  readonly testEndpoint: (id: string) => Promise<void>
}

/** A merchant's backend. @param appId of the credentials that `client` has: payees sign that they belong to it */
export function createMerchant({
  client,
  facts,
  appId,
  nowMillis = Date.now,
}: {
  readonly client: Client
  readonly facts: Facts
  readonly appId: string
  readonly nowMillis?: () => number
}): Merchant {
  const vaultDomain = (chainId: number) => domainOf({ chainId, vault: chainOf(facts, chainId).vault })
  const endpointPath = (id: string) => `/v1/webhooks/endpoints/${encodeURIComponent(id)}`

  async function provePayee(provider: Provider, { chainId, payee }: { chainId: number; payee: Address }) {
    type Prepared = { readonly issuedAt: string; readonly typedData: TypedDataJson }
    const prepared = await client.post<Prepared>('/v1/payees/prepare', { chainId, payee })
    const issuedAt = uintOf('issuedAt', prepared.issuedAt)
    const offSeconds = Number(issuedAt) - nowMillis() / 1000
    if (Math.abs(offSeconds) > issuedSecondsOffMax) {
      throw new SigningRefusedError('issuedAt', { expected: `now, ${nowMillis() / 1000}`, actual: issuedAt })
    }
    const signable = signableOwnership(vaultDomain(chainId), { payee, app: appId, issuedAt })
    expectTypedData('typedData', prepared.typedData, signable.typedData)
    const signature = await signWith(provider, payee, signable)
    return client.post<PayeeView>('/v1/payees', { chainId, payee, issuedAt: `${issuedAt}`, signature })
  }

  return {
    createOrder: (terms, options) => client.post('/v1/orders', { ...terms, amount: `${terms.amount}` }, options),
    readOrder: (id) => client.get(`/v1/orders/${encodeURIComponent(id)}`),
    listOrders: (filter) => itemsOf(client, '/v1/orders', { limit: pageLimit, ...filter }),
    readPayment: (id) => client.get(`/v1/intents/${encodeURIComponent(id)}`),
    listPayments: (filter) => itemsOf(client, '/v1/intents', { limit: pageLimit, ...filter }),
    provePayee,
    signConsent: (provider, { chainId, payee, paymentDigest }) =>
      signWith(provider, payee, signableConsent(vaultDomain(chainId), paymentDigest)),
    createEndpoint: (endpoint) => client.post('/v1/webhooks/endpoints', endpoint),
    readEndpoint: (id) => client.get(endpointPath(id)),
    listEndpoints: () => itemsOf(client, '/v1/webhooks/endpoints', {}),
    removeEndpoint: (id) => client.remove(endpointPath(id)),
    testEndpoint: async (id) => void (await client.post(`${endpointPath(id)}/test`, {})),
  }
}

/** Page after page, asked for when the one before is used up. A page may be empty and have a next one. */
async function* itemsOf<Item>(client: Client, path: string, query: Query): AsyncGenerator<Item, void, undefined> {
  type Page = { readonly items: readonly Item[]; readonly nextCursor: string | null }
  let cursor: string | undefined
  do {
    const page: Page = await client.get<Page>(path, { ...query, cursor })
    yield* page.items
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
}
