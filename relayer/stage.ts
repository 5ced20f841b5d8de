import type { StoreName } from '../core/archive.ts'
import type { ChainConfig } from '../core/config.ts'
import type { Archive } from '../core/ports/archive.ts'
import type { ArchiveStore } from '../core/ports/archive-store.ts'
import type { Audit } from '../core/ports/audit.ts'
import type { Batching } from '../core/ports/batching.ts'
import type { Chain } from '../core/ports/chain.ts'
import type { Clock } from '../core/ports/clock.ts'
import type { Confirmation } from '../core/ports/confirmation.ts'
import type { Finalization } from '../core/ports/finalization.ts'
import type { LaneSigner } from '../core/ports/lane-signer.ts'
import type { Lanes } from '../core/ports/lanes.ts'
import type { Log } from '../core/ports/log.ts'
import type { Reconciliation } from '../core/ports/reconciliation.ts'
import type { StageName } from '../core/stages.ts'

/** Everything a stage may touch, for one chain. */
export type StageContext = {
  readonly config: ChainConfig
  readonly chain: Chain
  readonly signers: readonly LaneSigner[]
  readonly batching: Batching
  readonly lanes: Lanes
  readonly confirmation: Confirmation
  readonly finalization: Finalization
  readonly audit: Audit
  readonly archive: Archive
  readonly stores: Readonly<Record<StoreName, ArchiveStore>>
  readonly reconciliation: Reconciliation
  readonly clock: Clock
  readonly log: Log
  /** Names this process in leases. */
  readonly holder: string
  readonly newId: (prefix: 'sb' | 'rc') => string
}

/** What should happen next, and when. Lost wake-ups do no harm: the sweeper finds the rows. */
export type Next = { readonly stage: StageName; readonly delayMillis?: number }

/**
 * One step of the pipeline. Takes up to a set of rows, decides by `core`, writes once. May run twice, at the same time as
 * itself in another process, or die at any line: whatever it left undone, its next run finds in the rows.
 */
export type Stage = (context: StageContext) => Promise<readonly Next[]>
