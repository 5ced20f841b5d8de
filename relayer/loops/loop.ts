import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../../core/ports/log.ts'

/** Something that is done again and again, with a pause between two runs. A failed run is logged and tried again. */
export type Loop = { readonly name: string; readonly everyMillis: number; readonly run: () => Promise<void> }

/** Starts the loops; `stop` waits for runs that are under way. */
export function startLoops(loops: readonly Loop[], log: Log): { readonly stop: () => Promise<void> } {
  const stopping = new AbortController()
  const running = loops.map(async ({ name, everyMillis, run }) => {
    while (!stopping.signal.aborted) {
      try {
        await run()
      } catch (error) {
        log.error({ loop: name, err: error }, 'the loop failed: trying again')
      }
      await sleep(everyMillis, undefined, { signal: stopping.signal }).catch((error: Error) => {
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
