import type { Address } from 'viem'
import type { BoundLane } from '../core/ports/lanes.ts'
import type { StageContext } from './stage.ts'

type Here = Pick<StageContext, 'lanes' | 'config' | 'signers'>

/** Lanes with open batches that no signer of this process can bring to their end. */
export async function orphanedLanes({ lanes, config, signers }: Here): Promise<readonly BoundLane[]> {
  const bound = await lanes.bound(config.chainId)
  return bound.filter(({ signer }) => !signers.some(({ address }) => address === signer))
}

/**
 * An account nonce carries its batch for ever (decision 0004): a key that was removed too early takes payments with it,
 * so the start ends here rather than later with a payer who asks.
 * @param absent signers that are known to be missing: another process drives them, or they are lost
 * @returns those of them that have open batches
 * @throws Error with the sentence for who started the process
 */
export async function expectNoOrphans(here: Here, absent: readonly Address[]): Promise<readonly BoundLane[]> {
  const all = await orphanedLanes(here)
  const orphans = all.filter(({ signer }) => !absent.includes(signer))
  if (orphans.length === 0) return all
  const list = orphans.map(({ signer, batchCount }) => `${batchCount} to ${signer}`).join(', ')
  throw new Error(
    `${here.config.name}: open batches are bound to signers that LANE_SIGNERS lacks (${list}). Give them back, named in LANES_RETIRING too, until their batches are settled; or name them in LANES_ABSENT if another process drives them.`,
  )
}
