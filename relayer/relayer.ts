import type { Address } from 'viem'
import { ChainUnavailableError } from '../core/ports/chain.ts'
import { FencedOffError } from '../core/ports/lanes.ts'
import type { Log } from '../core/ports/log.ts'
import type { Queue, Wake } from '../core/ports/queue.ts'
import { SignerRefusedError, SignerUnavailableError } from '../core/ports/signer.ts'
import type { Upkeep } from '../core/ports/upkeep.ts'
import type { StageName } from '../core/stages.ts'
import { type CourierWiring, startCouriers } from './couriers.ts'
import { startLoops } from './loops/loop.ts'
import { notify } from './loops/notify.ts'
import { orphans } from './loops/orphans.ts'
import { sweep } from './loops/sweep.ts'
import { upkeep } from './loops/upkeep.ts'
import { watch } from './loops/watch.ts'
import { pipeline } from './pipeline.ts'
import type { StageContext } from './stage.ts'

/** Lanes are of a chain and carry batches of all its contracts; every other stage is of one contract. */
const perChain: ReadonlySet<StageName> = new Set(['submit'])

/** Runs the pipeline until it is stopped. `contexts`: one per settlement contract, the vault of each chain first. `stop` lets what runs come to its end. */
export async function startRelayer({
  contexts: all,
  queue,
  books,
  webhooks,
  log,
}: {
  contexts: readonly StageContext[]
  queue: Queue
  books: Upkeep
  webhooks: CourierWiring
  log: Log
}): Promise<{ readonly stop: () => Promise<void> }> {
  const byChain = Map.groupBy(all, ({ config }) => config.chainId)
  const chains = [...byChain.values()].flatMap(([first]) => first ?? [])

  const outages = outageLog(log)
  const couriers = startCouriers(webhooks)
  const worker = await queue.work(async (wake) => {
    const ofChain = byChain.get(wake.chainId) ?? []
    const contexts = perChain.has(wake.stage) ? ofChain.slice(0, 1) : ofChain
    // All end before one may throw: what is wrong with one contract holds up no other.
    const outcomes = await Promise.allSettled(contexts.map((context) => runStage(context, wake, queue, outages)))
    const [failed, ...others] = outcomes.filter((outcome) => outcome.status === 'rejected')
    for (const { reason } of others) log.error({ ...wake, err: reason }, 'another contract failed, too')
    if (failed !== undefined) throw failed.reason
    // Nobody waits for it; what it does not find now, the loop finds.
    couriers.sendDue().catch((error: Error) => log.debug({ reason: error.message }, 'no round of webhooks now'))
  })
  const loops = startLoops(
    [
      sweep({ queue, chainIds: [...byChain.keys()] }),
      ...chains.map(({ chain, config }) => watch({ chain, config, queue })),
      ...chains.map(orphans),
      notify(couriers),
      upkeep({ books, notification: webhooks.notification }),
    ],
    log,
  )
  return {
    stop: async () => {
      await loops.stop()
      await worker.stop()
      await couriers.stop()
    },
  }
}

async function runStage(
  context: StageContext,
  { stage, chainId }: Wake,
  queue: Queue,
  outages: OutageLog,
): Promise<void> {
  try {
    for (const next of await pipeline[stage](context)) {
      await queue.wake(
        { stage: next.stage, chainId },
        next.delayMillis === undefined ? {} : { delayMillis: next.delayMillis },
      )
    }
  } catch (error) {
    if (!isPassing(error)) throw error
    outages({ stage, chainId, vault: context.config.vault, reason: error.message, cause: causeOf(error) })
  }
}

type OutageLog = (
  facts: Wake & {
    readonly vault: Address
    readonly reason: string
    readonly cause: string | undefined
  },
) => void
const outageLogMillis = 10_000

/** The sweeper tries every stage every second: an outage is told once in a while, with how often it was met. */
function outageLog(log: Log): OutageLog {
  const told = new Map<string, { atMillis: number; times: number }>()
  return (facts) => {
    const key = `${facts.stage}/${facts.chainId}/${facts.vault}`
    const last = told.get(key) ?? { atMillis: Number.NEGATIVE_INFINITY, times: 0 }
    last.times++
    told.set(key, last)
    if (performance.now() - last.atMillis < outageLogMillis) return
    log.warn({ ...facts, times: last.times }, 'the stage stops here for now: the sweeper comes back to it')
    told.set(key, { atMillis: performance.now(), times: 0 })
  }
}

/** An outage, of a chain or of a key's custody, or another holder of the lane: nothing is broken, the rows wait. */
function isPassing(error: unknown): error is Error {
  return [ChainUnavailableError, SignerUnavailableError, SignerRefusedError, FencedOffError].some(
    (kind) => error instanceof kind,
  )
}

function causeOf({ cause }: Error): string | undefined {
  return cause instanceof Error ? cause.message : undefined
}
