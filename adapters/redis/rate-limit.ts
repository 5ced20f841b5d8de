import { Redis } from 'ioredis'
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import type { Clock } from '../../core/ports/clock.ts'
import type { Log } from '../../core/ports/log.ts'
import type { RateCount, RateLimit, RatePolicy } from '../../core/ports/rate-limit.ts'

/** The braces put every key into one slot of a Redis Cluster. */
const keyPrefix = '{ice}:rate'
/** A request waits no longer for its count. */
const answerMillisMax = 100
const connectMillisMax = 2_000
const reconnectMillisMax = 1_000
/** After a failure Redis is not asked for this long, so that a Redis that hangs slows one request in this time, not all. */
const pauseMillis = 1_000

/**
 * Counts of all processes together, in Redis. While Redis does not answer, `fallback` counts, each process for itself.
 * Redis may be emptied at any time: then windows begin anew.
 */
export function createRedisRateLimit({
  url,
  fallback,
  log,
  clock,
}: {
  url: string
  fallback: RateLimit
  log: Log
  clock: Clock
}): RateLimit {
  const redis = new Redis(url, {
    connectTimeout: connectMillisMax,
    commandTimeout: answerMillisMax,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    retryStrategy: (times) => Math.min(times * 100, reconnectMillisMax),
  })
  let pausedUntil = 0
  // Each failed connection says so; the log hears of it with the first count that is missed.
  redis.on('error', () => undefined)

  const limiters = new Map<string, RateLimiterRedis>()
  const limiterOf = ({ name, countMax, windowSeconds }: RatePolicy): RateLimiterRedis => {
    const known = limiters.get(name)
    if (known !== undefined) return known
    const made = new RateLimiterRedis({
      storeClient: redis,
      keyPrefix: `${keyPrefix}:${name}`,
      points: countMax,
      duration: windowSeconds,
      rejectIfRedisNotReady: true,
    })
    limiters.set(name, made)
    return made
  }

  async function orFallback(ask: () => Promise<RateCount>, otherwise: () => Promise<RateCount>): Promise<RateCount> {
    if (clock.nowMillis() < pausedUntil) return otherwise()
    try {
      return await ask()
    } catch (error) {
      pausedUntil = clock.nowMillis() + pauseMillis
      log.warn({ err: error }, 'Redis does not count requests; this process counts its own.')
      return otherwise()
    }
  }

  return {
    take: (policy, key, count = 1) =>
      orFallback(
        async () => {
          try {
            return countOf(policy, await limiterOf(policy).consume(key, count))
          } catch (refused) {
            if (refused instanceof RateLimiterRes) return { ...countOf(policy, refused), isAllowed: false }
            throw refused
          }
        },
        () => fallback.take(policy, key, count),
      ),
    peek: (policy, key) =>
      orFallback(
        async () => {
          const count = countOf(policy, await limiterOf(policy).get(key))
          return { ...count, isAllowed: count.remaining > 0 }
        },
        () => fallback.peek(policy, key),
      ),
    close: () => {
      redis.disconnect()
      fallback.close()
    },
  }
}

function countOf({ countMax, windowSeconds }: RatePolicy, found: RateLimiterRes | null): RateCount {
  if (found === null) return { isAllowed: true, remaining: countMax, resetMillis: windowSeconds * 1000 }
  return {
    isAllowed: true,
    remaining: Math.max(0, found.remainingPoints),
    resetMillis: Math.max(0, found.msBeforeNext),
  }
}
