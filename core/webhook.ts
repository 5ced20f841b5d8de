import type { Posted } from './ports/post.ts'

/**
 * Seconds before each try, counted from the end of the one before: ten tries within four days, after which the delivery is a
 * dead letter. @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export const retrySeconds = [0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400] as const
/** Share by which a delay is stretched or shortened at most, so that what failed together does not come back together. */
const jitterShare = 0.1
/** An endpoint may ask for a longer pause, up to this. */
const retryAfterSecondsMax = 3_600
/** An endpoint that has failed for so long without a success in between is disabled. */
export const failingSecondsMax = 5 * 24 * 3_600
/** An obligation that waits longer, because its endpoint is disabled, becomes a dead letter: it can be replayed. */
export const openSecondsMax = 7 * 24 * 3_600

export type Verdict =
  | { readonly outcome: 'delivered'; readonly status: number }
  | ({ readonly outcome: 'retry'; readonly afterMillis: number } & Failure)
  | ({ readonly outcome: 'dead' } & Failure)
type Failure = {
  readonly status: number | undefined
  readonly error: string
  /** 410: the endpoint wants nothing any more. */
  readonly isGone: boolean
}

/**
 * What one try has come to. Only 2xx is success: a redirect may lead anywhere, so it is a failure.
 * @param failures tries that failed before this one
 * @param chance 0 to 1, exclusive
 */
export function judgeTry({
  posted,
  failures,
  nowMillis,
  chance,
}: {
  posted: Posted
  failures: number
  nowMillis: number
  chance: number
}): Verdict {
  if (posted.outcome === 'answered' && posted.status >= 200 && posted.status < 300) {
    return { outcome: 'delivered', status: posted.status }
  }
  const failure: Failure =
    posted.outcome === 'answered'
      ? { status: posted.status, error: `http_${posted.status}`, isGone: posted.status === 410 }
      : { status: undefined, error: posted.fault, isGone: false }
  const seconds = retrySeconds[failures + 1]
  if (seconds === undefined) return { outcome: 'dead', ...failure }
  const scheduled = seconds * (1 + jitterShare * (2 * chance - 1))
  const asked = posted.outcome === 'answered' ? retryAfterSeconds(posted.retryAfter, nowMillis) : 0
  return { outcome: 'retry', afterMillis: Math.round(Math.max(scheduled, asked) * 1000), ...failure }
}

/** `Date.parse` alone reads a date into almost anything. @see RFC 9110 §5.6.7 */
const httpDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/

/** Seconds or a date, as HTTP has them; 0 for anything else. @see RFC 9110 §10.2.3 */
function retryAfterSeconds(header: string | undefined, nowMillis: number): number {
  if (header === undefined) return 0
  if (/^\d+$/.test(header)) return Math.min(Number(header), retryAfterSecondsMax)
  const seconds = httpDate.test(header) ? (Date.parse(header) - nowMillis) / 1000 : 0
  return Number.isNaN(seconds) ? 0 : Math.min(Math.max(seconds, 0), retryAfterSecondsMax)
}
