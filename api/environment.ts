import type { App } from '../core/ports/apps.ts'

/** What middleware leaves for the routes behind it. */
export type ApiEnv = {
  Variables: {
    requestId: string
    /** Set on every path under /v1 by `authenticate`. */
    app: App
    /** Whether the same request may end better later: set by `problem`, and by a route that answers for many at once. */
    isRetryable: boolean
    /** Set by `idempotent`: app, key, path and body in one hash. The very same for every repetition of a request. */
    requestSha256: Uint8Array
  }
}
