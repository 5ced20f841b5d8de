import type { IntentState } from '../../core/intent.ts'
import type { DisabledReason, WebhookEndpoint } from '../../core/ports/webhook-endpoints.ts'
import { idOf } from './codec.ts'

export type EndpointRow = {
  readonly id: string
  readonly app_id: string
  readonly url: string
  readonly states: readonly IntentState[] | null
  readonly has_hmac: boolean
  readonly hmac_version: number
  readonly former_hmac_until: Date | null
  readonly disabled_reason: DisabledReason | null
  readonly disabled_since: Date | null
  readonly failing_since: Date | null
  readonly created_at: Date
}

export function endpointOf(row: EndpointRow): WebhookEndpoint {
  const { disabled_reason, disabled_since } = row
  return {
    id: idOf('we', row.id),
    appId: row.app_id,
    url: row.url,
    states: row.states ?? undefined,
    hasHmac: row.has_hmac,
    hmacVersion: row.hmac_version,
    formerHmacUntilMillis: row.former_hmac_until?.getTime(),
    disabled:
      disabled_reason === null || disabled_since === null
        ? undefined
        : { reason: disabled_reason, sinceMillis: disabled_since.getTime() },
    failingSinceMillis: row.failing_since?.getTime(),
    createdAtMillis: row.created_at.getTime(),
  }
}
