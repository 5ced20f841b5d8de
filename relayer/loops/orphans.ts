import { orphanedLanes } from '../orphans.ts'
import type { StageContext } from '../stage.ts'
import type { Loop } from './loop.ts'

/** A younger batch is on its way in another process, which has the signer still or already. */
const ageSecondsMin = 300

/** Says again and again, as an error, that batches wait for a signer which this process does not have. */
export function orphans(context: StageContext): Loop {
  return {
    name: `orphans ${context.config.name}`,
    everyMillis: 60_000,
    run: async () => {
      for (const { signer, batchCount, ageSeconds } of await orphanedLanes(context)) {
        if (ageSeconds < ageSecondsMin) continue
        context.log.error(
          { chainId: context.config.chainId, signer, batchCount, ageSeconds },
          'open batches wait for a signer that this process does not have: give it back to LANE_SIGNERS',
        )
      }
    },
  }
}
