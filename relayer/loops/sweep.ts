import type { Queue } from '../../core/ports/queue.ts'
import { stages } from '../../core/stages.ts'
import type { Loop } from './loop.ts'

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
