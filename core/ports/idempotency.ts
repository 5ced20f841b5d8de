/**
 * One answer per (app, key). `begin` claims the key before the work; `finish` keeps the answer, word for word. A claim
 * whose process died may be taken over after `lockSeconds`: the work behind it is itself safe to repeat.
 */
export type Idempotency = {
  readonly begin: (request: {
    readonly appId: string
    readonly key: string
    readonly requestSha256: Uint8Array
    readonly lockSeconds: number
  }) => Promise<IdempotencyClaim>
  readonly finish: (answer: {
    readonly appId: string
    readonly key: string
    readonly status: number
    readonly body: string
  }) => Promise<void>
  /** Gives the key back after a failure that stored nothing (5xx), so that a retry works afresh. */
  readonly release: (claim: { readonly appId: string; readonly key: string }) => Promise<void>
  /** Forgets answers older than this many hours; returns how many. At least 24 h are kept. */
  readonly forget: (olderThanHours: number) => Promise<number>
}

export type IdempotencyClaim =
  | { readonly outcome: 'claimed' }
  | { readonly outcome: 'replay'; readonly status: number; readonly body: string }
  | { readonly outcome: 'reused' }
  | { readonly outcome: 'in_flight'; readonly retryAfterSeconds: number }
