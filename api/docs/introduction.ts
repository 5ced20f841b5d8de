/** What holds for every route: the description of the OpenAPI document and the opening of the docs page, in Markdown. */
export const introduction = `
A wallet user signs a payment once. ICE answers in milliseconds with a signed promise, settles hundreds of payments in
one on-chain transaction that verifies every signature, and tells each payment's end.

**The short way.** \`POST /v1/orders\` (merchant) → \`POST /v1/intents/prepare\` (wallet, gets typed data) → the payer
signs it with \`eth_signTypedData_v4\` → \`POST /v1/intents\` → \`GET /v1/intents/{id}\` until it is \`finalized\`.

**Authentication.** HTTP Basic with your AppID and AppSecret: \`Authorization: Basic base64(AppID:AppSecret)\`. The
payer's signature authorises the money; the AppID says who hands it in.

**Idempotency.** Every POST needs an \`Idempotency-Key\` of 16 to 128 visible ASCII characters. The same key with the same
body gets the same answer, marked \`Idempotency-Replayed: true\`, for at least 24 hours. The same key with another body is
refused with 422; while the first request runs, with 409 and \`Retry-After\`. After a 5xx or a refusal marked
\`retryable\`, also of one item among many, the key is free again: send the very same request. What was taken before comes
back as known.

**Money.** Amounts are decimal strings of atomic token units, never numbers: 12.5 USDC is \`"12500000"\`. So are nonces,
deadlines (unix seconds) and block numbers. Addresses are EIP-55. Unknown fields are refused.

**States.** \`held → accepted → batched → submitted → included → finalized\`, or an end in \`rejected\`, \`failed\`,
\`expired\` or \`cancelled\`. These bad ends are said only once the signature can no longer settle; until then a payment
is \`cancelling\` or stays in its state, and its money stays reserved. A reorg moves \`included\` back to \`submitted\`.

**Webhooks.** Register an endpoint and be told of every change, signed, at least once, in order per payment: of payments
that you submit, and of those to payees that you have proved to be yours. The signing keys are in
\`/.well-known/ice.json\`; \`docs/webhooks.md\` shows how to check a signature.
`
