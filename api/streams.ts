import { RelayError } from '../core/errors.ts'
import { isTerminal } from '../core/intent.ts'
import type { EventPosition, IntentEvent } from '../core/ports/events.ts'
import { followEvents } from './event-follower.ts'
import { createEventStream, type EventStream } from './event-stream.ts'
import type { ApiPorts } from './ports.ts'

/** Streams of one payment at once, on one process: a page that is open in a few windows. */
const streamsPerIntentMax = 20
/** One place in so many is kept for apps: links take no credentials, so whoever has some could fill the process. */
const placesPerAppPlace = 5
/** Events of one question while a client catches up. */
const backlogMax = 200
/** Events that wait while a client catches up; with more it is cut off and goes on from where it came to. */
const waitingMax = 5_000
const retryAfterSeconds = 5

export type Streams = {
  /** Events after this sequence; ends with a payment's last state. Undefined if nothing can come any more. */
  readonly ofIntent: (intentId: string, afterSequence: number) => Promise<EventStream['body'] | undefined>
  /** Events of an app after this position; from now on if it is undefined. */
  readonly ofApp: (appId: string, after: EventPosition | undefined) => Promise<EventStream['body']>
}

/** Whose share a stream takes. */
type Place = { readonly kind: 'payment' | 'app'; readonly id: string }

/**
 * All streams of this process.
 * @throws RelayError from both: `rate_limited` for one app's or payment's share, `overloaded` for the whole process, which
 *   also is full once it stops, or for all links together; `not_found` for a payment without events.
 */
export function createStreams(ports: Pick<ApiPorts, 'events' | 'log' | 'limits' | 'stopping'>): Streams {
  const { events } = ports
  const follower = followEvents(ports)
  const open = new Map<EventStream, Place>()
  const linksMax = ports.limits.streamsMax - Math.floor(ports.limits.streamsMax / placesPerAppPlace)
  let isHearingStop = false

  function enter(place: Place, countMax: number): { stream: EventStream; whenClosed: (clean: () => void) => void } {
    if (open.size >= ports.limits.streamsMax || ports.stopping.aborted) {
      throw new RelayError('overloaded', `${open.size} streams are open, as many as one process may have.`, {
        fields: { count: open.size, countMax: ports.limits.streamsMax, retryAfterSeconds },
      })
    }
    const taken = [...open.values()].filter(({ kind }) => kind === place.kind)
    if (place.kind === 'payment' && taken.length >= linksMax) {
      throw new RelayError('overloaded', `${taken.length} payments are watched, as many as one process takes.`, {
        fields: { count: taken.length, countMax: linksMax, retryAfterSeconds },
      })
    }
    const count = taken.filter(({ id }) => id === place.id).length
    if (count >= countMax) {
      throw new RelayError('rate_limited', `${count} streams of ${place.kind} ${place.id} are open.`, {
        fields: { count, countMax, retryAfterSeconds },
      })
    }
    const cleans: (() => void)[] = []
    const stream: EventStream = createEventStream({
      onClose: () => {
        open.delete(stream)
        for (const clean of cleans) clean()
      },
    })
    open.set(stream, place)
    if (!isHearingStop) ports.stopping.addEventListener('abort', closeAll)
    isHearingStop = true
    return {
      stream,
      whenClosed: (clean) => {
        if (stream.isOpen()) cleans.push(clean)
        else clean()
      },
    }
  }

  function closeAll(): void {
    for (const stream of [...open.keys()]) stream.close()
  }

  /** What starts in a stream that fails must not leave the stream behind. */
  async function begin<Value>(stream: EventStream, work: () => Promise<Value>): Promise<Value> {
    try {
      return await work()
    } catch (error) {
      stream.close()
      throw error
    }
  }

  return {
    async ofIntent(intentId, afterSequence) {
      const { stream, whenClosed } = enter({ kind: 'payment', id: intentId }, streamsPerIntentMax)
      return begin(stream, async () => {
        const heard: IntentEvent[] = []
        let last = afterSequence
        const deliver = takeTurns(
          async () => {
            for (let event = heard.shift(); event !== undefined; event = heard.shift()) {
              if (event.sequence <= last) continue
              // Events are followed by DB transaction; of one payment, the next may come before the last.
              const missing = event.sequence > last + 1 ? await events.of(intentId, rangeAfter(last)) : [event]
              for (const each of missing) show(each)
            }
          },
          cutOff(stream, ports),
        )
        const show = (event: IntentEvent) => {
          last = event.sequence
          stream.send({ id: `${event.sequence}`, event: 'state', data: showState(event) })
          if (isTerminal(event.state)) stream.close()
        }
        let isLive = false
        const listening = await follower.listen({ intentId }, (event) => {
          heard.push(event)
          if (isLive) deliver()
        })
        whenClosed(listening.stop)

        // With the event that the client has: it may have been the last.
        const known = await events.of(intentId, rangeAfter(Math.max(0, afterSequence - 1)))
        const newest = known.at(-1)
        if (newest !== undefined && newest.sequence === afterSequence && isTerminal(newest.state)) {
          stream.close()
          return undefined
        }
        // A sequence that the payment has not come to is none of ours: then all is told from the start.
        if (newest === undefined || newest.sequence < afterSequence) last = 0
        const first = last === 0 && afterSequence !== 0 ? await events.of(intentId, rangeAfter(0)) : known
        if (first.length === 0) throw new RelayError('not_found', 'No such intent.')
        for (const event of first) if (event.sequence > last) show(event)
        isLive = true
        deliver()
        return stream.body
      })
    },

    async ofApp(appId, after) {
      const { stream, whenClosed } = enter({ kind: 'app', id: appId }, ports.limits.streamsPerAppMax)
      return begin(stream, async () => {
        let waiting: IntentEvent[] | undefined = []
        // The reader may lag behind, so what it tells first may be older than what the client has, or asks for.
        let last = after ?? (await events.now())
        const show = (event: IntentEvent) => {
          if (!isAfter(event, last)) return
          last = event
          stream.send({ id: showPosition(event), event: 'state', data: { ...showState(event), ...showApp(event) } })
        }
        if (after === undefined) stream.mark(showPosition(last))
        const listening = await follower.listen({ appId }, (event) => {
          if (waiting === undefined) show(event)
          else if (waiting.push(event) > waitingMax) stream.cut()
        })
        whenClosed(listening.stop)

        void catchUp().catch(cutOff(stream, ports))
        return stream.body

        async function catchUp(): Promise<void> {
          for (let isMore = after !== undefined; isMore && stream.isOpen(); ) {
            const range = { after: last, until: listening.from, countMax: backlogMax }
            const found = await events.ofApp(appId, range)
            for (const event of found) {
              show(event)
              await stream.taken()
            }
            isMore = found.length === backlogMax
          }
          const missed = waiting ?? []
          waiting = undefined
          for (const event of missed) show(event)
        }
      })
    },
  }
}

const rangeAfter = (afterSequence: number) => ({ afterSequence, countMax: backlogMax })

/** Public facts only: the link that opens a payment's stream may be in anybody's hands. */
function showState({ intentId, sequence, state, atMillis, txHash, blockNumber }: IntentEvent): object {
  return {
    ...{ intent: intentId, sequence, state, at: new Date(atMillis).toISOString() },
    ...{ tx: txHash ?? null, block: blockNumber === undefined ? null : `${blockNumber}` },
  }
}

function showPosition({ xid, intentId, sequence }: EventPosition): string {
  return `${xid}.${intentId}.${sequence}`
}

function showApp({ chainId, reason, batchId }: IntentEvent): object {
  return { chainId, reason: reason ?? null, batch: batchId ?? null }
}

/** TypeIDs sort as the ids that they stand for. */
function isAfter(a: EventPosition, b: EventPosition): boolean {
  if (a.xid !== b.xid) return a.xid > b.xid
  return a.intentId === b.intentId ? a.sequence > b.sequence : a.intentId > b.intentId
}

/** Runs `work` once at a time; a call that comes while it runs makes it run once more. */
function takeTurns(work: () => Promise<void>, onError: (error: unknown) => void): () => void {
  let calls = 0
  return () => {
    if (++calls === 1) void run().catch(onError)
  }
  async function run(): Promise<void> {
    try {
      for (let served = 0; served < calls; ) {
        served = calls
        await work()
      }
    } finally {
      calls = 0
    }
  }
}

/** The client connects again and goes on from the last id it has. */
function cutOff(stream: EventStream, { log }: Pick<ApiPorts, 'log'>): (error: unknown) => void {
  return (error) => {
    log.warn({ err: error }, 'A stream could not be read on and was cut.')
    stream.cut()
  }
}
