import type { App } from '../core/ports/apps.ts'

/** What middleware leaves for the routes behind it. */
export type ApiEnv = {
  Variables: {
    requestId: string
    /** Set on every path under /v1 by `authenticate`. */
    app: App
    /** Set by `problem` when the answer is one: whether the same request may succeed later. */
    isRetryable: boolean
  }
}
