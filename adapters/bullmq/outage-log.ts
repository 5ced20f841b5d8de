import type { Clock } from '../../core/ports/clock.ts'
import type { Log } from '../../core/ports/log.ts'

const repeatMillis = 10_000

/** Clients that reconnect report the same error many times a second: each wording is logged once in ten seconds. */
export function logOutages(log: Log, clock: Clock): (error: Error) => void {
  const loggedAt = new Map<string, number>()
  return (error) => {
    const now = clock.nowMillis()
    for (const [wording, at] of loggedAt) if (now - at >= repeatMillis) loggedAt.delete(wording)
    if (loggedAt.has(error.message)) return
    loggedAt.set(error.message, now)
    log.warn({ err: error }, 'The queue reports an error and is asked again')
  }
}
