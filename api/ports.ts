import type { Address } from 'viem'
import type { Config } from '../core/config.ts'
import type { Accounts } from '../core/ports/accounts.ts'
import type { Apps } from '../core/ports/apps.ts'
import type { AuditRecords } from '../core/ports/audit-records.ts'
import type { Batches } from '../core/ports/batches.ts'
import type { Chain } from '../core/ports/chain.ts'
import type { Clock } from '../core/ports/clock.ts'
import type { Events } from '../core/ports/events.ts'
import type { Idempotency } from '../core/ports/idempotency.ts'
import type { Intake } from '../core/ports/intake.ts'
import type { Intents } from '../core/ports/intents.ts'
import type { Log } from '../core/ports/log.ts'
import type { Orders } from '../core/ports/orders.ts'
import type { Payees } from '../core/ports/payees.ts'
import type { Queue } from '../core/ports/queue.ts'
import type { RateLimit } from '../core/ports/rate-limit.ts'
import type { Reconciliations } from '../core/ports/reconciliations.ts'
import type { Secrets } from '../core/ports/secrets.ts'
import type { Signatures } from '../core/ports/signatures.ts'
import type { WebhookDeliveries } from '../core/ports/webhook-deliveries.ts'
import type { WebhookEndpoints } from '../core/ports/webhook-endpoints.ts'
import type { WebhookKeys } from '../core/ports/webhook-keys.ts'
import type { ApiLimits } from './limits.ts'

/** Everything the API asks of the world. `main.ts` hands in the real ones. */
export type ApiPorts = {
  readonly config: Config
  /** Certifies this process's acknowledgement keys; the vault lists it. */
  readonly authority: Address
  readonly apps: Apps
  readonly idempotency: Idempotency
  readonly orders: Orders
  readonly accounts: Accounts
  readonly intake: Intake
  readonly intents: Intents
  readonly batches: Batches
  readonly auditRecords: AuditRecords
  readonly reconciliations: Reconciliations
  readonly events: Events
  readonly payees: Payees
  readonly webhookEndpoints: WebhookEndpoints
  readonly webhookDeliveries: WebhookDeliveries
  readonly webhookKeys: Pick<WebhookKeys, 'publicKeys' | 'secretOf'>
  /** Development only: webhook URLs may lead to this machine. */
  readonly allowsLoopback: boolean
  /** By `contractKey`. A configured contract that is missing here answers `chain_unavailable`. */
  readonly chains: ReadonlyMap<string, Chain>
  readonly queue: Pick<Queue, 'wake'>
  readonly secrets: Secrets
  readonly signatures: Signatures
  readonly rateLimit: RateLimit
  readonly limits: ApiLimits
  /** Aborted when this process begins to stop: streams end, new ones are refused. */
  readonly stopping: AbortSignal
  readonly clock: Clock
  readonly log: Log
  /** A fresh intent id that sorts by time. */
  readonly newId: (prefix: 'pi') => string
  readonly isReady: () => Promise<Readiness>
  /** Where clients reach this API, without a slash at the end; undefined: the origin of each request. */
  readonly publicUrl?: string | undefined
}

/** One sentence per part that is not ready; empty if all are. */
export type Readiness = { readonly notReady: Readonly<Record<string, string>> }
