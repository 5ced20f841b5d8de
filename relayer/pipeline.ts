import type { StageName } from '../core/stages.ts'
import type { Stage } from './stage.ts'
import { archiveTo } from './stages/archive.ts'
import { batch } from './stages/batch.ts'
import { confirm } from './stages/confirm.ts'
import { finalize } from './stages/finalize.ts'
import { reconcile } from './stages/reconcile.ts'
import { record } from './stages/record.ts'
import { submit } from './stages/submit.ts'

/** The life of a payment after it was accepted, in order. */
export const pipeline = {
  /** accepted → batched */
  batch,
  /** batched → submitted */
  submit,
  /** submitted → included, and back when a block is reorged out */
  confirm,
  /** included → finalized; what can no longer settle → expired, cancelled, failed */
  finalize,
  /** what is final → its audit record */
  record,
  /** Obligations of their own: a store that is slow or down holds up neither the other nor a payment. */
  'archive-ipfs': archiveTo('ipfs'),
  'archive-arweave': archiveTo('arweave'),
  /** finalized → compared with every other source */
  reconcile,
} as const satisfies Record<StageName, Stage>
