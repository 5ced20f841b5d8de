import type { PaymentFacts } from '../protocol/webhook.ts'
import type { Verdict } from '../webhook.ts'

/** A delivery that this process may try now, until its lease ends. */
export type ClaimedDelivery = {
  readonly id: string
  readonly webhookId: string
  readonly endpointId: string
  /** Whose endpoint it is. */
  readonly appId: string
  readonly url: string
  /** Versions of the endpoint's HMAC secret that sign now, the newest first. */
  readonly hmacVersions: readonly number[]
  /** The number of this try; a result of an earlier one that failed is stale. */
  readonly attempt: number
  /** Tries that failed before. */
  readonly failures: number
  readonly isFailing: boolean
  readonly event:
    | { readonly kind: 'payment'; readonly facts: PaymentFacts }
    | { readonly kind: 'test'; readonly at: string }
}

export type TriedDelivery = {
  readonly id: string
  readonly endpointId: string
  /** Where it was posted to: what another URL answers says nothing about the endpoint as it is now. */
  readonly url: string
  readonly attempt: number
  readonly verdict: Verdict
}

/** The relayer's side of webhooks. */
export type Notification = {
  /**
   * Takes deliveries that are due, a turn for each app before any has two, and within an app for each endpoint; what is
   * under way counts as turns taken. Of one endpoint and payment only the
   * lowest open sequence is taken; later ones are put off until it is done. Whose event is no longer stored is a dead
   * letter, and holds up nothing. Both are set aside and counted, since others may be due behind them. Neither taken nor set
   * aside: nothing is due that has room.
   */
  readonly claim: (room: {
    readonly countMax: number
    /** Of endpoints that are failing, all together: they never take the room of the others. */
    readonly failingCountMax: number
    /** To all endpoints of one app, counting what is under way. */
    readonly perAppMax: number
    readonly perEndpointMax: number
    /** Of an endpoint that is failing. */
    readonly perFailingEndpointMax: number
    /** What this process has under way, by endpoint. */
    readonly underWay: ReadonlyMap<string, number>
    /** Longer than any try takes. A process that dies leaves its deliveries to the next one after it. */
    readonly leaseMillis: number
  }) => Promise<{ readonly setAsideCount: number; readonly deliveries: readonly ClaimedDelivery[] }>
  /**
   * All results together. Delivered is delivered, whoever says so; a failure of a try that was claimed anew is dropped, and
   * does not count against the endpoint either.
   */
  readonly settle: (tried: readonly TriedDelivery[]) => Promise<void>
  /** Open deliveries older than the limit, and those of deleted endpoints, become dead letters. Returns how many. */
  readonly endOverdue: () => Promise<number>
}
