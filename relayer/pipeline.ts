import type { Wake } from '../core/ports/queue.ts'
import type { Stage } from './stage.ts'
import { batch } from './stages/batch.ts'
import { confirm } from './stages/confirm.ts'
import { finalize } from './stages/finalize.ts'
import { reconcile } from './stages/reconcile.ts'
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
  /** finalized → compared with every other source */
  reconcile,
} as const satisfies Record<Wake['stage'], Stage>
