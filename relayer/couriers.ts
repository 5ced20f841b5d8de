import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../core/ports/clock.ts'
import type { Log } from '../core/ports/log.ts'
import type { ClaimedDelivery, Notification, TriedDelivery } from '../core/ports/notification.ts'
import type { Post } from '../core/ports/post.ts'
import type { WebhookKeys } from '../core/ports/webhook-keys.ts'
import { renderPaymentEvent, renderTestEvent } from '../core/protocol/webhook.ts'
import { judgeTry } from '../core/webhook.ts'

const limitsDefault = {
  /** Posts under way in this process. */
  countMax: 512,
  /** Of those, to endpoints that are failing, all together: they never take the place of the others. */
  failingCountMax: 128,
  /** To all endpoints of one app: however slowly they answer, most of the room is for others. */
  perAppMax: 64,
  /** To one endpoint, and to one that is failing: a probe. */
  perEndpointMax: 16,
  perFailingEndpointMax: 2,
  /** Well above the longest post: nobody else takes a delivery that is still under way. */
  leaseMillis: 60_000,
  /** How long a stop waits for posts that are under way; then they are cut, and delivered again after their lease. */
  stopMillisMax: 4_000,
  /** Between two tries to store results while the database is away. */
  storePauseMillis: 500,
}

export type CourierWiring = {
  readonly notification: Notification
  readonly post: Post
  readonly keys: WebhookKeys
  readonly clock: Clock
  /** 0 to 1, exclusive. */
  readonly chance: () => number
  readonly log: Log
  readonly limits?: Partial<typeof limitsDefault>
}

export type Couriers = {
  /** Takes what is due and sends each with a courier of its own; waits for none of them. */
  readonly sendDue: () => Promise<void>
  readonly stop: () => Promise<void>
}

/**
 * In-process couriers: one post each, no lock held meanwhile. A round only claims and lets go, so the slowest endpoint
 * keeps nobody waiting; results that come in while others are stored are stored together. If the process dies, what was
 * under way is claimed by another when its lease ends, and is posted again with the same `webhook-id`.
 */
export function startCouriers({ notification, post, keys, clock, chance, log, limits = {} }: CourierWiring): Couriers {
  const max = { ...limitsDefault, ...limits }
  const underWay = new Map<
    string,
    { readonly endpointId: string; readonly isFailing: boolean; readonly done: Promise<void> }
  >()
  const stopping = new AbortController()
  const store = storeTogether({
    notification,
    log,
    pauseMillis: max.storePauseMillis,
    leaseMillis: max.leaseMillis,
    stopping: stopping.signal,
  })
  let round: Promise<void> | undefined
  let isWanted = false

  function sendDue(): Promise<void> {
    isWanted = true
    round ??= runRounds().finally(() => {
      round = undefined
    })
    return round
  }

  /** Until nothing is due for which there is room. A wish that comes during a round is for one more. */
  async function runRounds(): Promise<void> {
    while (isWanted && !stopping.signal.aborted) {
      isWanted = false
      const countMax = max.countMax - underWay.size
      if (countMax <= 0) return
      const failing = [...underWay.values()].filter(({ isFailing }) => isFailing).length
      const { setAsideCount, deliveries } = await notification.claim({
        countMax,
        failingCountMax: Math.max(0, max.failingCountMax - failing),
        perAppMax: max.perAppMax,
        perEndpointMax: max.perEndpointMax,
        perFailingEndpointMax: max.perFailingEndpointMax,
        underWay: countByEndpoint(underWay.values()),
        leaseMillis: max.leaseMillis,
      })
      for (const delivery of deliveries) {
        const { id, endpointId, isFailing } = delivery
        underWay.set(id, { endpointId, isFailing, done: carry(delivery) })
      }
      if (deliveries.length + setAsideCount > 0) isWanted = true
    }
  }

  async function carry(delivery: ClaimedDelivery): Promise<void> {
    try {
      await store(await tryOnce(delivery))
    } catch (error) {
      log.warn(
        { delivery: delivery.id, err: error },
        'a webhook was tried and its end is not stored: its lease brings it back',
      )
    } finally {
      underWay.delete(delivery.id)
    }
    if (stopping.signal.aborted) return
    // There is room now. A round that fails is the loop's to report: it begins the next one.
    sendDue().catch((error: Error) => log.debug({ reason: error.message }, 'no round of webhooks now'))
  }

  async function tryOnce(delivery: ClaimedDelivery): Promise<TriedDelivery> {
    const { id, webhookId, endpointId, url, attempt, failures, event, hmacVersions } = delivery
    const body =
      event.kind === 'payment' ? renderPaymentEvent(delivery, event.facts) : renderTestEvent(delivery, event.at)
    const timestamp = Math.floor(clock.nowMillis() / 1000)
    const headers = keys.sign({ id: webhookId, timestamp, body, hmac: { endpointId, versions: hmacVersions } })
    const posted = await post.send({ url, headers, body })
    const verdict = judgeTry({ posted, failures, nowMillis: clock.nowMillis(), chance: chance() })
    if (verdict.outcome !== 'delivered') {
      const facts = { delivery: id, endpoint: endpointId, attempt, error: verdict.error, outcome: verdict.outcome }
      if (verdict.outcome === 'dead') log.warn(facts, 'a webhook is a dead letter')
      else log.debug(facts, 'a webhook was not taken')
    }
    return { id, endpointId, url, attempt, verdict }
  }

  return {
    sendDue,
    stop: async () => {
      stopping.abort()
      await round?.catch((error: Error) => log.debug({ reason: error.message }, 'the last round of webhooks failed'))
      const all = Promise.all([...underWay.values()].map(({ done }) => done))
      await Promise.race([all, sleep(max.stopMillisMax, undefined, { ref: false })])
      await post.close()
    },
  }
}

function countByEndpoint(posts: Iterable<{ readonly endpointId: string }>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { endpointId } of posts) counts.set(endpointId, (counts.get(endpointId) ?? 0) + 1)
  return counts
}

/** Results that come in while others are on their way to the database form the next set. Tries again until the lease ends. */
function storeTogether({
  notification,
  log,
  pauseMillis,
  leaseMillis,
  stopping,
}: {
  notification: Notification
  log: Log
  pauseMillis: number
  leaseMillis: number
  stopping: AbortSignal
}): (tried: TriedDelivery) => Promise<void> {
  let waiting: TriedDelivery[] = []
  let following: Promise<void> | undefined
  let last: Promise<void> = Promise.resolve()

  async function settle(set: readonly TriedDelivery[]): Promise<void> {
    for (let waited = 0; ; waited += pauseMillis) {
      try {
        return await notification.settle(set)
      } catch (error) {
        if (waited >= leaseMillis || stopping.aborted) throw error
        log.warn({ count: set.length, err: error }, 'results of webhooks cannot be stored: trying again')
        await sleep(pauseMillis)
      }
    }
  }

  return (tried) => {
    waiting.push(tried)
    following ??= last
      .catch(() => undefined) // told to those who waited for it
      .then(() => {
        const set = waiting
        waiting = []
        following = undefined
        last = settle(set)
        return last
      })
    return following
  }
}
