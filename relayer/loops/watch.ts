import type { ChainConfig } from '../../core/config.ts'
import type { Chain } from '../../core/ports/chain.ts'
import type { Queue } from '../../core/ports/queue.ts'
import type { Loop } from './loop.ts'

/** Looks for new heads a few times per block, so that an inclusion is noticed within a fraction of a block. */
export function watch({ chain, config, queue }: { chain: Chain; config: ChainConfig; queue: Queue }): Loop {
  let seen: string | undefined
  return {
    name: `watch ${config.name}`,
    everyMillis: Math.max(100, Math.min(2_000, config.blockSeconds * 250)),
    run: async () => {
      const { hash } = await chain.head()
      if (hash === seen) return
      await queue.wake({ stage: 'confirm', chainId: config.chainId })
      seen = hash
    },
  }
}
