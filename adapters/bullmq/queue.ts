import { z } from 'zod'
import type { Clock } from '../../core/ports/clock.ts'
import type { Log } from '../../core/ports/log.ts'
import type { Queue, Wake } from '../../core/ports/queue.ts'
import { stages } from '../../core/stages.ts'
import { type Connection, openBackend, sendMillisMax } from './backend.ts'
import { coalesce, takeTurns } from './coalesce.ts'
import { within } from './deadline.ts'
import { logOutages } from './outage-log.ts'

/** Delayed wake-ups are due on this grid, never early, so that those for the same moment are one. */
const delayGridMillis = 50

const wakeSchema = z.object({ stage: z.enum(stages), chainId: z.int().positive() })

/**
 * Wake-ups through BullMQ, on Redis or on Postgres. On Postgres it has a schema of its own, `bullmq`, and migrates it
 * under BullMQ's lock, so processes may start together; it needs sessions for LISTEN, so no transaction pooler between.
 *
 * A wake-up that comes while its stage runs is kept and runs after it (BullMQ's `keepLastIfActive`). `wake` rejects with
 * QueueUnavailableError within 2 s when the queue is down; workers reconnect by themselves. `stop` and `close` wait at
 * most 5 s for what runs, then cut the connection and leave it to itself.
 * @throws QueueUnavailableError if the queue cannot be reached within 10 s.
 */
export async function createQueue({
  connection,
  log,
  clock,
}: {
  readonly connection: Connection
  readonly log: Log
  readonly clock: Clock
}): Promise<Queue> {
  const backend = openBackend(connection, logOutages(log, clock))
  const queue = backend.openQueue()
  await readyOrClosed(queue)

  const workers = new Set<{ readonly close: () => Promise<void> }>()
  const send = coalesce((dedupeBy: string, { wake, delayMillis }: { wake: Wake; delayMillis: number }) => {
    const data = { stage: wake.stage, chainId: wake.chainId }
    return within(sendMillisMax, () => queue.add({ name: wake.stage, data, dedupeBy, delayMillis }), dedupeBy)
  })

  return {
    wake(wake, { delayMillis = 0 } = {}) {
      if (delayMillis <= 0) return send(idOf(wake), { wake, delayMillis: 0 })
      // A wake-up for later must not swallow one for now, so each moment has an id of its own.
      const now = clock.nowMillis()
      const dueMillis = Math.ceil((now + delayMillis) / delayGridMillis) * delayGridMillis
      return send(`${idOf(wake)}/${dueMillis}`, { wake, delayMillis: dueMillis - now })
    },

    async work(handle) {
      const takeTurn = takeTurns(async (wake: Wake) => {
        try {
          await handle(wake)
        } catch (error) {
          log.error(
            { stage: wake.stage, chainId: wake.chainId, err: error },
            'A stage failed and waits for the sweeper',
          )
        }
      })
      const worker = backend.openWorker(async (job) => {
        const wake = wakeSchema.safeParse(job.data)
        if (wake.success) await takeTurn(idOf(wake.data), wake.data)
        else log.warn({ job: job.name }, 'A job that is no wake-up was dropped')
      })
      await readyOrClosed(worker)
      workers.add(worker)
      return {
        async stop() {
          workers.delete(worker)
          await worker.close()
        },
      }
    },

    async close() {
      await Promise.all([...workers].map((worker) => worker.close()))
      await queue.close()
    },
  }
}

async function readyOrClosed(opened: { ready: () => Promise<unknown>; close: () => Promise<void> }): Promise<void> {
  try {
    await opened.ready()
  } catch (error) {
    await opened.close()
    throw error
  }
}

function idOf({ stage, chainId }: Wake): string {
  return `${stage}/${chainId}`
}
