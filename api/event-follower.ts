import { setTimeout as sleep } from 'node:timers/promises'
import type { EventPosition, Events, IntentEvent } from '../core/ports/events.ts'
import type { Log } from '../core/ports/log.ts'

/** How long after an event listeners hear of it at most, when Postgres is well. */
const pollMillis = 250
/** Between two questions to a database that does not answer. */
const retryMillis = 1_000
/** Events of one question; with more, the next one follows at once. */
const eventsMax = 1_000

/** What a listener hears of: all of one payment, or all of one app. */
export type Topic = { readonly intentId: string } | { readonly appId: string }
export type Listening = {
  /** It hears everything after this, and nothing before. */
  readonly from: EventPosition
  readonly stop: () => void
}
export type Follower = {
  /** @throws if the database cannot be asked where the events stand. */
  readonly listen: (topic: Topic, hear: (event: IntentEvent) => void) => Promise<Listening>
}

/**
 * One reader of events for all listeners of this process: it asks while somebody listens, and what it costs does not grow
 * with them.
 */
export function followEvents({ events, log }: { events: Events; log: Log }): Follower {
  const listeners = new Map<string, Set<(event: IntentEvent) => void>>()
  /** Where the reader stands; undefined while nobody listens. */
  let position: EventPosition | undefined
  let starting: Promise<void> | undefined

  async function start(): Promise<void> {
    position = await events.now()
    void read()
  }

  async function read(): Promise<void> {
    let isTold = false
    while (listeners.size > 0 && position !== undefined) {
      try {
        const found = await events.after(position, eventsMax)
        isTold = false
        for (const event of found) tell(event)
        position = found.at(-1) ?? position
        if (found.length < eventsMax) await sleep(pollMillis)
      } catch (error) {
        // Listeners wait and lose nothing: the next answer goes on from the same place.
        if (!isTold) log.warn({ err: error }, 'Events could not be read; listeners wait.')
        isTold = true
        await sleep(retryMillis)
      }
    }
    position = undefined
  }

  function tell(event: IntentEvent): void {
    const { intentId, appId, payeeAppId } = event
    const topics = new Set([keyOf({ intentId }), keyOf({ appId })])
    if (payeeAppId !== undefined) topics.add(keyOf({ appId: payeeAppId }))
    for (const topic of topics) for (const hear of listeners.get(topic) ?? []) hear(event)
  }

  function leave(key: string, hear: (event: IntentEvent) => void): void {
    const group = listeners.get(key)
    group?.delete(hear)
    if (group?.size === 0) listeners.delete(key)
  }

  return {
    async listen(topic, hear) {
      const key = keyOf(topic)
      const group = listeners.get(key) ?? new Set()
      listeners.set(key, group.add(hear))
      const stop = () => leave(key, hear)
      try {
        if (position === undefined) {
          starting ??= start().finally(() => {
            starting = undefined
          })
          await starting
        }
      } catch (error) {
        stop()
        throw error
      }
      // It may have heard of earlier events while it waited; `from` is where the reader stands now at the latest.
      return { from: position ?? (await events.now()), stop }
    },
  }
}

function keyOf(topic: Topic): string {
  return 'intentId' in topic ? topic.intentId : `app ${topic.appId}`
}
