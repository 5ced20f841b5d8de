import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Log } from '../core/ports/log.ts'
import type { Reconciliations } from '../core/ports/reconciliations.ts'
import type { Backlog } from '../core/ports/webhook-deliveries.ts'

/** What operators watch of this process, for Prometheus. */
export type Metrics = {
  readonly registry: Registry
  readonly request: (facts: { method: string; route: string; status: number; seconds: number }) => void
  /** One payment's end at accept: accepted, held, known or the code of its refusal. */
  readonly submitted: (outcome: string) => void
  readonly committed: (facts: { count: number; seconds: number }) => void
}

export function createMetrics({
  waitingCount,
  openBreakCounts,
  webhookBacklog,
  log,
}: {
  waitingCount: () => number
  openBreakCounts: Reconciliations['openCounts']
  webhookBacklog: () => Promise<Backlog>
  log: Log
}): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const requests = new Histogram({
    name: 'ice_api_request_seconds',
    help: 'Time to answer, by route and status',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  })
  const submissions = new Counter({
    name: 'ice_api_submissions_total',
    help: 'Payments submitted, by how accept ended',
    labelNames: ['outcome'],
    registers,
  })
  const commitSizes = new Histogram({
    name: 'ice_api_commit_payments',
    help: 'Payments per group commit',
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
    registers,
  })
  const commitSeconds = new Histogram({
    name: 'ice_api_commit_seconds',
    help: 'Time of one group commit',
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers,
  })
  new Gauge({
    name: 'ice_api_commit_waiting',
    help: 'Payments that wait for a group commit',
    registers,
    collect() {
      this.set(waitingCount())
    },
  })
  new Gauge({
    name: 'ice_reconciliation_open_breaks',
    help: 'Differences between chain and books that nobody has resolved, by kind; absent while the database cannot be asked',
    labelNames: ['kind'],
    registers,
    async collect() {
      this.reset()
      try {
        for (const [kind, count] of await openBreakCounts()) this.set({ kind }, count)
      } catch (error) {
        log.warn({ err: error }, 'Open breaks could not be counted for the metrics.')
      }
    },
  })
  const measured = backlogOnce(webhookBacklog, log)
  new Gauge({
    name: 'ice_webhook_deliveries',
    help: 'Webhook deliveries of the last week that are open, and that are dead letters; 10000 at most each',
    labelNames: ['state'],
    registers,
    async collect() {
      const backlog = await measured()
      this.set({ state: 'open' }, backlog?.openCount ?? Number.NaN)
      this.set({ state: 'dead' }, backlog?.deadCount ?? Number.NaN)
    },
  })
  new Gauge({
    name: 'ice_webhook_overdue_seconds',
    help: 'How long the webhook that was due first is overdue',
    registers,
    async collect() {
      this.set((await measured())?.overdueSeconds ?? Number.NaN)
    },
  })

  return {
    registry,
    request: ({ method, route, status, seconds }) => requests.observe({ method, route, status }, seconds),
    submitted: (outcome) => submissions.inc({ outcome }),
    committed: ({ count, seconds }) => {
      commitSizes.observe(count)
      commitSeconds.observe(seconds)
    },
  }
}

/** One question for all measurements of one scrape. A database that is away makes them NaN, and leaves the others. */
function backlogOnce(webhookBacklog: () => Promise<Backlog>, log: Log): () => Promise<Backlog | undefined> {
  let asked: Promise<Backlog | undefined> | undefined
  return () => {
    asked ??= webhookBacklog()
      .catch((error: unknown) => {
        log.warn({ err: error }, 'The backlog of webhooks could not be measured.')
        return undefined
      })
      .finally(() => {
        asked = undefined
      })
    return asked
  }
}
