export type IdempotencyKey = { readonly appId: string; readonly key: string }
export type IdempotentRequest = IdempotencyKey & { readonly requestSha256: Uint8Array; readonly lockSeconds: number }
export type IdempotentAnswer = IdempotencyKey & { readonly status: number; readonly body: string }

/**
 * One answer per (app, key). `begin` claims keys before the work; `finish` keeps the answers, word for word. A claim whose
 * process died may be taken over after `lockSeconds`: the work behind it is itself safe to repeat. Both take sets, so that
 * many requests share one commit; of two with one key in a set, the first claims it.
 */
export type Idempotency = {
  /** In the order of the requests. */
  readonly begin: (requests: readonly IdempotentRequest[]) => Promise<readonly IdempotencyClaim[]>
  readonly finish: (answers: readonly IdempotentAnswer[]) => Promise<void>
  /** Gives the key back after a failure that stored nothing (5xx), so that a retry works afresh. */
  readonly release: (claim: IdempotencyKey) => Promise<void>
  /** Forgets answers older than this many hours; returns how many. At least 24 h are kept. */
  readonly forget: (olderThanHours: number) => Promise<number>
}

export type IdempotencyClaim =
  | { readonly outcome: 'claimed' }
  | { readonly outcome: 'replay'; readonly status: number; readonly body: string }
  | { readonly outcome: 'reused' }
  | { readonly outcome: 'in_flight'; readonly retryAfterSeconds: number }
