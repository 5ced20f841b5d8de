import type { BoundLane } from '../../core/ports/lanes.ts'
import type { StageContext } from '../stage.ts'
import type { Loop } from './loop.ts'

/** A batch that old is not on its way through another process that was about to stop. */
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
          'Open batches are bound to a signer that this process does not have: give it back to LANE_SIGNERS.',
        )
      }
    },
  }
}

/** Lanes with open batches that no signer of this process can end. */
export async function orphanedLanes({
  lanes,
  config,
  signers,
}: Pick<StageContext, 'lanes' | 'config' | 'signers'>): Promise<readonly BoundLane[]> {
  const bound = await lanes.bound(config.chainId)
  return bound.filter(({ signer }) => !signers.some(({ address }) => address === signer))
}
