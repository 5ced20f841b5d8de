import type { IntentState } from '../intent.ts'

/** app: its owner switched it off. gone: it answered 410. failing: five days of failures without a success. */
export type DisabledReason = 'app' | 'gone' | 'failing'

export type WebhookEndpoint = {
  readonly id: string
  readonly appId: string
  readonly url: string
  /** States it is told of; undefined: all. */
  readonly states: readonly IntentState[] | undefined
  readonly hasHmac: boolean
  readonly hmacVersion: number
  /** The version before signs too until then; undefined if it does not. */
  readonly formerHmacUntilMillis: number | undefined
  readonly disabled: { readonly reason: DisabledReason; readonly sinceMillis: number } | undefined
  /** Its first failure since its last success. */
  readonly failingSinceMillis: number | undefined
  readonly createdAtMillis: number
}

/** What an app decides about its endpoint. */
export type EndpointTerms = Pick<WebhookEndpoint, 'url' | 'states' | 'hasHmac'>

/** Every function takes the app, and finds nothing of other apps. */
export type WebhookEndpoints = {
  /** `exists`: the app has an endpoint with this URL. `full`: it has as many as it may. */
  readonly create: (
    endpoint: { readonly appId: string; readonly countMax: number } & EndpointTerms,
  ) => Promise<
    { readonly outcome: 'created' | 'exists'; readonly endpoint: WebhookEndpoint } | { readonly outcome: 'full' }
  >
  /** Oldest first; there are few. */
  readonly list: (appId: string) => Promise<readonly WebhookEndpoint[]>
  readonly find: (appId: string, id: string) => Promise<WebhookEndpoint | undefined>
  /** `url_taken`: another endpoint of the app has this URL. */
  readonly change: (
    appId: string,
    id: string,
    terms: EndpointTerms,
  ) => Promise<WebhookEndpoint | 'url_taken' | undefined>
  /** What is still open to it is never tried again. Returns whether there was one. */
  readonly remove: (appId: string, id: string) => Promise<boolean>
  /**
   * A new HMAC secret; the one before signs too for `overlapSeconds`, any older one no more. The same request does it
   * once, however often it comes.
   */
  readonly rotate: (
    appId: string,
    id: string,
    rotation: { readonly overlapSeconds: number; readonly requestSha256: Uint8Array },
  ) => Promise<WebhookEndpoint | undefined>
  /** Enabling forgets its failures; what it was not told meanwhile is due at once. */
  readonly enable: (appId: string, id: string) => Promise<WebhookEndpoint | undefined>
  /** An endpoint that is disabled already keeps its reason. */
  readonly disable: (appId: string, id: string) => Promise<WebhookEndpoint | undefined>
}
