export type DeliveryState = 'open' | 'delivered' | 'dead'

/** One obligation to tell one endpoint one thing. */
export type WebhookDelivery = {
  readonly id: string
  /** What `webhook-id` says: the id of the first delivery of this event to this endpoint, also in a replay. */
  readonly webhookId: string
  readonly endpointId: string
  /** Undefined for a test event. */
  readonly about: { readonly intentId: string; readonly sequence: number } | undefined
  readonly type: string
  readonly state: DeliveryState
  /** Tries that were begun. */
  readonly attempts: number
  /** When it is tried next; undefined once it is delivered or dead. */
  readonly dueAtMillis: number | undefined
  readonly lastStatus: number | undefined
  readonly lastError: string | undefined
  readonly deliveredAtMillis: number | undefined
  readonly createdAtMillis: number
}

/** How far delivery lags behind, for operators: of the last week, each count 10,000 at most. */
export type Backlog = {
  readonly openCount: number
  readonly deadCount: number
  /** How long the delivery that was due first is overdue; those of disabled endpoints wait for their owner and do not count. */
  readonly overdueSeconds: number
}

export type WebhookDeliveries = {
  /** Newest first, of the last 30 days. `before`: ids below this one. */
  readonly list: (filter: {
    readonly appId: string
    readonly endpointId: string | undefined
    readonly intentId: string | undefined
    readonly state: DeliveryState | undefined
    readonly before: string | undefined
    readonly countMax: number
  }) => Promise<readonly WebhookDelivery[]>
  /**
   * A further delivery of the same event, due now, with the same `webhook-id`. One that is still open, or an open replay
   * of it, becomes due now instead. `event_gone`: the event is no longer stored, so nothing is left to say.
   */
  readonly replay: (
    appId: string,
    id: string,
  ) => Promise<WebhookDelivery | 'endpoint_deleted' | 'event_gone' | undefined>
  /** A test event, due now; one that is still open is returned as it is. Undefined: no such endpoint. */
  readonly test: (appId: string, endpointId: string) => Promise<WebhookDelivery | undefined>
  readonly backlog: () => Promise<Backlog>
}
