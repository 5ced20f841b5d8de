import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../../core/ports/log.ts'

/** Something that is done again and again, with a pause between two runs. */
export type Loop = { readonly name: string; readonly everyMillis: number; readonly run: () => Promise<void> }

/** The longest pause after failures, in milliseconds: an outage is not made worse, and its end is noticed soon. */
const pauseMillisMax = 10_000

/**
 * Starts the loops. A failed run is logged and tried again, with twice the pause after each failure in a row. `stop`
 * waits for runs that are under way.
 */
export function startLoops(loops: readonly Loop[], log: Log): { readonly stop: () => Promise<void> } {
  const stopping = new AbortController()
  const running = loops.map(async ({ name, everyMillis, run }) => {
    for (let failures = 0; !stopping.signal.aborted; ) {
      try {
        await run()
        failures = 0
      } catch (error) {
        failures++
        log.error({ loop: name, err: error, failures }, 'the loop failed: trying again')
      }
      const pauseMillis = Math.max(everyMillis, Math.min(everyMillis * 2 ** failures, pauseMillisMax))
      await sleep(pauseMillis, undefined, { signal: stopping.signal }).catch((error: Error) => {
        if (error.name !== 'AbortError') throw error
      })
    }
  })
  return {
    stop: async () => {
      stopping.abort()
      await Promise.all(running)
    },
  }
}
