import type { Queue, Wake } from '../../core/ports/queue.ts'
import type { Loop } from './loop.ts'

const stages = ['batch', 'submit', 'confirm', 'finalize', 'reconcile'] as const satisfies readonly Wake['stage'][]

/** Wakes every stage of every chain: whatever a crash, a flushed Redis or a lost job left lying is found within a second. */
export function sweep({ queue, chainIds }: { queue: Queue; chainIds: readonly number[] }): Loop {
  return {
    name: 'sweep',
    everyMillis: 1_000,
    run: async () => {
      await Promise.all(chainIds.flatMap((chainId) => stages.map((stage) => queue.wake({ stage, chainId }))))
    },
  }
}
