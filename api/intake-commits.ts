import type { Candidate } from '../core/admit.ts'
import { nowSeconds } from '../core/ports/clock.ts'
import type { Admitted } from '../core/ports/intake.ts'
import { type GroupCommit, groupCommit } from './group-commit.ts'
import type { Metrics } from './metrics.ts'
import { outageOf } from './outage.ts'
import type { ApiPorts } from './ports.ts'

/** The group commit of payments: intake decides and stores a group, then the chains that got work are woken once each. */
export function commitIntents({
  ports: { intake, clock },
  metrics,
  wakeBatch,
}: {
  ports: Pick<ApiPorts, 'intake' | 'clock'>
  metrics: Pick<Metrics, 'committed'>
  wakeBatch: (chainId: number) => void
}): GroupCommit<Candidate, Admitted> {
  return groupCommit({
    items: 'payments',
    ownerOf: ({ appId }) => appId,
    isOutage: (error) => outageOf(error) !== undefined,
    commit: async (candidates: readonly Candidate[]) => {
      const startedAt = performance.now()
      const admitted = await intake.admit(candidates, nowSeconds(clock))
      metrics.committed({ count: candidates.length, seconds: (performance.now() - startedAt) / 1000 })
      const accepted = candidates.filter((_, index) => admitted[index]?.outcome === 'accepted')
      for (const chainId of new Set(accepted.map(({ chain }) => chain.chainId))) wakeBatch(chainId)
      return admitted
    },
  })
}
