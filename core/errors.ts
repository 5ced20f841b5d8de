/**
 * Every refusal a client can meet, in the order in which a request meets them. The code is permanent; `docs/errors/<code>.md`
 * is generated from this table. `next` tells the client what to do.
 * @see RFC 9457
 */
export const errors = {
  method_not_allowed: {
    status: 405,
    title: 'This path does not take that method',
    next: 'Use a method listed in the Allow header.',
  },
  unauthenticated: {
    status: 401,
    title: 'AppID and AppSecret are missing or do not match',
    next: 'Send both with HTTP Basic authentication: Authorization: Basic base64(AppID:AppSecret).',
  },
  rate_limited: {
    status: 429,
    title: 'Too many requests or streams',
    next: 'Wait for Retry-After seconds and send the same request again; RateLimit tells what is left.',
    retryable: true,
  },
  body_too_large: {
    status: 413,
    title: 'The body is too large',
    next: 'Split the request: at most 500 intents and 1 MiB.',
  },
  forbidden: {
    status: 403,
    title: 'This app may not do that',
    next: 'Use the credentials of an app with the role named in `detail`.',
  },
  unsupported_media_type: { status: 415, title: 'The body is not JSON', next: 'Send Content-Type: application/json.' },
  malformed_json: {
    status: 400,
    title: 'The body is not valid JSON',
    next: 'Repair the JSON; `detail` says where it breaks.',
  },
  idempotency_key_missing: {
    status: 400,
    title: 'The Idempotency-Key header is missing',
    next: 'Send a fresh random key of 16 to 128 characters per payment, and the same key when you retry it.',
  },
  idempotency_key_reused: {
    status: 422,
    title: 'This Idempotency-Key was used for another request',
    next: 'Use a new key for a new request; repeat the very same body to retry the old one.',
  },
  idempotency_in_flight: {
    status: 409,
    title: 'The first request with this Idempotency-Key is still being worked on',
    next: 'Wait for Retry-After seconds and send the same request again.',
    retryable: true,
  },
  invalid_request: {
    status: 400,
    title: 'The request does not match its schema',
    next: 'Correct the fields listed in `errors`; the schema is at /openapi.json.',
  },
  not_found: {
    status: 404,
    title: 'There is no such thing, or it is not yours',
    next: 'Check the id and the credentials; the answer is the same for what other apps own.',
  },
  too_many_intents: {
    status: 422,
    title: 'Too many intents in one request',
    next: 'Send at most 500 intents per request.',
  },
  address_checksum_invalid: {
    status: 422,
    title: 'An address has a wrong checksum',
    next: 'Copy the address again: its capital letters are an EIP-55 checksum, and they do not fit.',
  },
  wrong_chain: {
    status: 422,
    title: 'ICE does not settle on this chain',
    next: 'Use a chainId that /v1/intents/prepare answers for.',
  },
  wrong_contract: {
    status: 422,
    title: 'This is not the settlement contract of that chain',
    next: 'Sign for the contract that /v1/intents/prepare hands out.',
  },
  token_unknown: {
    status: 422,
    title: 'ICE does not settle this token',
    next: 'Use a token that is listed for this chain.',
  },
  payee_invalid: {
    status: 422,
    title: 'This address cannot be paid',
    next: 'Pay another address: not zero, the vault, the token or the payer.',
  },
  amount_not_representable: {
    status: 422,
    title: 'The amount has more digits than a batch record carries',
    next: 'Round the amount to a multiple of `scale`; then it is signed and settled exactly.',
  },
  amount_out_of_range: {
    status: 422,
    title: 'The amount is outside the limits of this token',
    next: 'Stay between `min` and `max`.',
  },
  intent_expired: {
    status: 422,
    title: 'The payment can no longer settle in time',
    next: 'Prepare a new intent and sign it.',
  },
  deadline_too_far: {
    status: 422,
    title: 'The deadline is too far ahead',
    next: 'Sign a deadline at most 12 hours ahead; /v1/intents/prepare proposes one.',
  },
  signature_malformed: {
    status: 422,
    title: 'The signature is malformed',
    next: 'Send r ‖ s ‖ v (65 bytes) or EIP-2098 (64 bytes) with s in the lower half of the curve order.',
  },
  signature_mismatch: {
    status: 422,
    title: 'The signature is not the payer’s',
    next: 'Sign exactly the typed data of /v1/intents/prepare with the payer’s key; `recovered` tells which key signed what was sent.',
  },
  order_not_found: {
    status: 422,
    title: 'No such order for this payee',
    next: 'Register the order first: POST /v1/orders.',
  },
  order_mismatch: {
    status: 422,
    title: 'The payment does not match its order',
    next: 'Pay the payee, token and amount of the order, with its orderRef.',
  },
  order_expired: { status: 422, title: 'The order has expired', next: 'Ask the merchant for a new order.' },
  order_paid: {
    status: 409,
    title: 'The order already has a payment',
    next: 'Do not pay again; read the order to see its payment.',
  },
  intent_exists: {
    status: 409,
    title: 'This very payment was already submitted',
    next: 'Do not submit it again; it settles at most once, whoever submitted it.',
  },
  account_not_bound: {
    status: 422,
    title: 'The payer’s account is not bound to this relayer',
    next: 'Deposit to the vault with this relayer’s id, or bind the account with setRelayer.',
  },
  nonce_spent: {
    status: 409,
    title: 'This nonce has been spent on chain',
    next: 'Prepare a new intent: it hands out a fresh nonce.',
  },
  nonce_taken: {
    status: 409,
    title: 'Another open payment has this nonce',
    next: 'Prepare a new intent: it hands out a fresh nonce.',
  },
  nonce_out_of_window: {
    status: 422,
    title: 'The nonce is too far from the payer’s other open payments',
    next: 'Wait until an open payment is final or expired, then prepare a new intent; 64 nonces can be open at once.',
    retryable: true,
  },
  previous_mismatch: {
    status: 409,
    title: 'The chained payment does not continue its account',
    next: 'Prepare a new intent: it hands out the sequence and the link that come next.',
  },
  previous_held: {
    status: 409,
    title: 'The chained payment before this one waits for an operator',
    next: 'Wait until it is released or rejected, or pay out of another account.',
    retryable: true,
  },
  previous_expired: {
    status: 409,
    title: 'The chained payment before this one has passed its deadline',
    next: 'Prepare a new intent once its end is final: what continues it now could never settle.',
    retryable: true,
  },
  means_unsupported: {
    status: 422,
    title: 'The token takes no authorizations, or no permits',
    next: 'Sign the PullPayment that /v1/intents/prepare hands out, and allow the pull settler to take the amount.',
  },
  permit_invalid: {
    status: 422,
    title: 'The permit would not be taken by the token',
    next: 'Prepare again and sign the permit that comes with the answer.',
  },
  insufficient_balance: {
    status: 422,
    title: 'The payer’s free balance does not cover the amount',
    next: 'Deposit the difference and wait until the deposit is final, or pay less.',
    retryable: true,
  },
  allowance_short: {
    status: 422,
    title: 'The pull settler may not take that much from the payer’s wallet',
    next: 'Approve the pull settler for the token with at least `amount` more, then send the same intent again.',
    retryable: true,
  },
  intent_not_cancellable: {
    status: 409,
    title: 'The payment can no longer be cancelled',
    next: 'It is on its way or at its end; refund it instead once it is final.',
  },
  cancel_signature_required: {
    status: 422,
    title: 'Cancelling this payment needs the payer’s signature',
    next: 'Have the payer sign `typedData` and send it as `signature` with its `deadline`.',
  },
  cancel_consent_required: {
    status: 422,
    title: 'The payee was promised this payment and must agree',
    next: 'Have the payee sign `typedData` and send it as `consent`. Nobody else can agree for the payee, not even the app that registered the order.',
  },
  cancel_expired: {
    status: 422,
    title: 'The cancellation’s deadline has passed or is too near to be carried out',
    next: 'Ask for new typed data by sending no `signature`, and have the payer sign it; or wait until the payment expires.',
  },
  hold_not_open: {
    status: 409,
    title: 'The payment is not on hold',
    next: 'Read the intent: somebody released or rejected it, or it expired.',
  },
  break_not_open: {
    status: 409,
    title: 'The break is resolved already',
    next: 'Read the break: somebody resolved it, or a later reconciliation found agreement. What differs again is a new break.',
  },
  webhook_url_invalid: {
    status: 422,
    title: 'This URL cannot receive webhooks',
    next: 'Use https, a public host name, port 443 or one above 1023, and no user, password or fragment.',
  },
  webhook_endpoint_exists: {
    status: 409,
    title: 'Your app has another endpoint with this URL',
    next: 'Change the endpoint named in `endpoint`, or delete it first: two would be told everything twice.',
  },
  webhook_endpoints_full: {
    status: 409,
    title: 'Your app has as many webhook endpoints as it may',
    next: 'Delete one that is not used, or change its URL.',
  },
  webhook_endpoint_disabled: {
    status: 409,
    title: 'The webhook endpoint is disabled',
    next: 'Enable it first: nothing is sent to it meanwhile, and what it missed is due at once then.',
  },
  webhook_endpoint_deleted: {
    status: 409,
    title: 'The webhook endpoint of this delivery was deleted',
    next: 'Read the payment instead; a new endpoint is told of what happens from now on.',
  },
  webhook_event_gone: {
    status: 409,
    title: 'The event of this delivery is no longer stored',
    next: 'Read the payment instead: what is left of it is there and in its audit record.',
  },
  payee_proof_expired: {
    status: 422,
    title: 'The payee’s signature is too old or from the future',
    next: 'Ask for new typed data at /v1/payees/prepare and have the payee sign it within 15 minutes.',
  },
  payee_proof_superseded: {
    status: 409,
    title: 'The payee has signed a later proof',
    next: 'Ask for new typed data at /v1/payees/prepare and have the payee sign it; the latest proof counts.',
  },
  payees_full: {
    status: 409,
    title: 'Your app owns as many payees as it may',
    next: 'Give one up that is not used any more, with DELETE /v1/payees/{chainId}/{payee}.',
  },
  chain_unavailable: {
    status: 503,
    title: 'The chain could not be asked',
    next: 'Nothing was stored. Try again with the same Idempotency-Key after Retry-After seconds.',
    retryable: true,
  },
  overloaded: {
    status: 503,
    title: 'Too much work is waiting',
    next: 'Nothing was stored. Try again with the same Idempotency-Key after Retry-After seconds.',
    retryable: true,
  },
  store_unavailable: {
    status: 503,
    title: 'The database could not be asked',
    next: 'The outcome is unknown. Try again with the same Idempotency-Key after Retry-After seconds: nothing happens twice.',
    retryable: true,
  },
  internal: {
    status: 500,
    title: 'ICE broke a promise of its own',
    next: 'Try again with the same Idempotency-Key; if it stays, report `instance`.',
    retryable: true,
  },
} as const satisfies Record<string, { status: number; title: string; next: string; retryable?: true }>

export type ErrorCode = keyof typeof errors
/** Facts that belong to a refusal, both numbers among them. Decimal strings for money. Never a secret. */
export type ErrorFields = Readonly<Record<string, unknown>>

/** A refusal as a value: what a pure decision returns for one item among many. */
export type Refusal = {
  readonly outcome: 'refused'
  readonly code: ErrorCode
  readonly detail: string
  readonly fields: ErrorFields
}

export function refusal(code: ErrorCode, detail: string, fields: ErrorFields = {}): Refusal {
  return { outcome: 'refused', code, detail, fields }
}

/** A refusal as an exception: ends one request. Mapped to problem+json in one place, `api/middleware/problem.ts`. */
export class RelayError extends Error {
  readonly code: ErrorCode
  readonly status: number
  readonly isRetryable: boolean
  readonly fields: ErrorFields

  constructor(code: ErrorCode, detail: string, { fields = {}, cause }: { fields?: ErrorFields; cause?: unknown } = {}) {
    super(detail, { cause })
    const entry: { status: number; retryable?: true } = errors[code]
    this.name = 'RelayError'
    this.code = code
    this.status = entry.status
    this.isRetryable = entry.retryable === true
    this.fields = fields
  }
}
