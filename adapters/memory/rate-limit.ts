import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import type { RateCount, RateLimit, RatePolicy } from '../../core/ports/rate-limit.ts'

/** Counts in this process alone: of n processes, each allows the whole count. Forgets a key when its window ends. */
export function createMemoryRateLimit(): RateLimit {
  const limiters = new Map<string, RateLimiterMemory>()
  const limiterOf = ({ name, countMax, windowSeconds }: RatePolicy): RateLimiterMemory => {
    const known = limiters.get(name)
    if (known !== undefined) return known
    const made = new RateLimiterMemory({ keyPrefix: name, points: countMax, duration: windowSeconds })
    limiters.set(name, made)
    return made
  }
  return {
    take: async (policy, key, count = 1) => {
      try {
        return countOf(policy, await limiterOf(policy).consume(key, count))
      } catch (refused) {
        if (refused instanceof RateLimiterRes) return { ...countOf(policy, refused), isAllowed: false }
        throw refused
      }
    },
    peek: async (policy, key) => {
      const count = countOf(policy, await limiterOf(policy).get(key))
      return { ...count, isAllowed: count.remaining > 0 }
    },
    close: () => undefined,
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
