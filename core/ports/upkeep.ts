/** What the database needs now and then. */
export type Upkeep = {
  /** Partitions for today and so many days ahead. */
  readonly ensureDays: (daysAhead: number) => Promise<void>
  /** Drops idempotency answers older than this; at least 24 h are kept. Returns how many. */
  readonly forgetAnswers: (olderThanHours: number) => Promise<unknown>
}
