import type { SignedPayment } from './intent.ts'

/** ICE refused. `code` is permanent, see docs/errors; `next` says what to do. */
export class IceError extends Error {
  readonly code: string
  readonly status: number
  readonly detail: string
  readonly next: string
  /** Whether the very same request may succeed later. */
  readonly isRetryable: boolean
  /** Id of the request in the log of ICE; empty if the answer had none. */
  readonly instance: string
  /** The facts of this refusal, such as `available` and `amount`. Money is a decimal string. */
  readonly fields: Readonly<Record<string, unknown>>
  /** What the answer said in Retry-After. */
  readonly retryAfterSeconds: number | undefined

  constructor(status: number, problem: Readonly<Record<string, unknown>>, retryAfterSeconds: number | undefined) {
    const { type, title, status: _, detail, code, instance, next, retryable, ...fields } = problem
    super(`${code}: ${detail}`)
    this.name = 'IceError'
    this.code = `${code}`
    this.status = status
    this.detail = `${detail ?? title ?? type ?? ''}`
    this.next = `${next ?? ''}`
    this.isRetryable = retryable === true
    this.instance = `${instance ?? ''}`
    this.fields = fields
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/**
 * No answer of ICE came, in any of the tries: the network failed, or something in front of ICE answered. What became of a
 * POST is unknown; the same call with the same `key` finds out and does nothing twice.
 */
export class IceUnreachableError extends Error {
  readonly tries: number
  /** Of the last answer, if one came that was not ICE's. */
  readonly status: number | undefined
  /** The Idempotency-Key of a POST. */
  readonly key: string | undefined

  constructor(
    message: string,
    {
      tries,
      status,
      key,
      cause,
    }: { tries: number; status?: number | undefined; key?: string | undefined; cause?: unknown },
  ) {
    super(message, { cause })
    this.name = 'IceUnreachableError'
    this.tries = tries
    this.status = status
    this.key = key
  }
}

/**
 * A signed payment was sent and ICE may have taken it. Submit `signed` again, as often as you like: it is one payment. Signing
 * anew could pay twice.
 */
export class OutcomeUnknownError extends Error {
  readonly signed: SignedPayment

  constructor(signed: SignedPayment, cause: unknown) {
    super(`payment ${signed.paymentDigest} may have been taken: submit the same signed payment again`, { cause })
    this.name = 'OutcomeUnknownError'
    this.signed = signed
  }
}

/** What was handed out to be signed is not what was asked for. The wallet was not asked. Do not try again: somebody lies. */
export class SigningRefusedError extends Error {
  readonly field: string
  readonly expected: string
  readonly actual: string

  constructor(field: string, { expected, actual }: { expected: unknown; actual: unknown }) {
    super(`${field} to be signed is ${actual}, ${expected} was expected: nothing was signed`)
    this.name = 'SigningRefusedError'
    this.field = field
    this.expected = `${expected}`
    this.actual = `${actual}`
  }
}

/** The wallet gave no good signature. `declined`: its user said no; asking again is up to the user. */
export class WalletError extends Error {
  readonly reason: 'declined' | 'wrong_chain' | 'wrong_signature' | 'failed'

  constructor(reason: WalletError['reason'], detail: string, { cause }: { cause?: unknown } = {}) {
    super(detail, { cause })
    this.name = 'WalletError'
    this.reason = reason
  }
}

/** A webhook that is not to be acted on: answer it with 401. */
export class WebhookRefusedError extends Error {
  /** `unsigned` with the right headers may mean that ICE has a new key: read the facts again, once. */
  readonly reason: 'headers_missing' | 'timestamp' | 'unsigned' | 'addressee' | 'malformed'

  constructor(reason: WebhookRefusedError['reason'], detail: string) {
    super(detail)
    this.name = 'WebhookRefusedError'
    this.reason = reason
  }
}
