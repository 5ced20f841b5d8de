/** How much of something is allowed: `countMax` in each window of `windowSeconds`, counted per key. */
export type RatePolicy = {
  /** Names it in answers and keeps its counts apart from those of others. */
  readonly name: string
  readonly countMax: number
  readonly windowSeconds: number
}

/** What is left of a key's count. */
export type RateCount = {
  readonly isAllowed: boolean
  readonly remaining: number
  /** Milliseconds until the window ends and the whole count is free again. */
  readonly resetMillis: number
}

/**
 * Counts what is asked for. It never throws and never waits long: a limit that cannot be counted in its store is counted
 * in this process until it can, since a payment that is not taken does more harm than one request too many.
 */
export type RateLimit = {
  /** Counts `count` at once, one by default; what is refused is counted too. */
  readonly take: (policy: RatePolicy, key: string, count?: number) => Promise<RateCount>
  /** Counts nothing. `isAllowed`: whether one more would be. */
  readonly peek: (policy: RatePolicy, key: string) => Promise<RateCount>
  readonly close: () => void
}
