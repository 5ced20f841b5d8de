import { measureChained } from './chained.ts'
import type { Figure } from './figures.ts'
import { measurePull } from './pull.ts'
import type { Stage } from './stage.ts'
import { measureVault } from './vault.ts'

/** All that is ours, in the order in which it has to run on one stage: the vault's approvals serve the chained accounts. */
export async function measureOurs(stage: Stage): Promise<readonly Figure[]> {
  const vault = await measureVault(stage)
  const chained = await measureChained(stage)
  return [...vault, ...chained, ...(await measurePull(stage))]
}
