import { sql } from 'kysely'
import type { BatchState } from '../../core/batch.ts'
import { type IntentState, type OwnState, wireState } from '../../core/intent.ts'
import type { Means, Mode, Taking } from '../../core/protocol/taking.ts'
import type { Payment } from '../../core/protocol/typed-data.ts'
import { addressOf, hexOf } from './codec.ts'
import { type DbTransaction, query } from './database.ts'

/** The columns of `intent` that are signed and promised. */
export type IntentRow = {
  readonly id: string
  readonly app_id: string
  readonly chain_id: number
  readonly vault: Buffer
  readonly token: Buffer
  readonly payer: Buffer
  readonly payee: Buffer
  readonly amount: string
  readonly nonce: number
  readonly mode: Mode
  readonly means: Means | null
  readonly previous: Buffer | null
  readonly deadline: number
  readonly order_ref: Buffer
  readonly order_id: string | null
  readonly digest: Buffer
}

export function paymentOf(row: IntentRow): Payment {
  return {
    payer: addressOf(row.payer),
    payee: addressOf(row.payee),
    token: addressOf(row.token),
    amount: BigInt(row.amount),
    nonce: BigInt(row.nonce),
    deadline: BigInt(row.deadline),
    orderRef: hexOf(row.order_ref),
  }
}

/** @throws RangeError for a row that the table refuses */
export function takingOf({ mode, means, previous }: Pick<IntentRow, 'mode' | 'means' | 'previous'>): Taking {
  if (mode === 'independent') return { mode }
  if (mode === 'pull' && means !== null) return { mode, means }
  if (mode === 'chained' && previous !== null) return { mode, previous: hexOf(previous) }
  throw new RangeError(`a ${mode} payment without what its mode needs`)
}

/** What a row says of its payment's state, without its batch. */
export type StateRow = {
  readonly state: OwnState
  readonly outside_block: number | null
  readonly batch_id: string | null
  readonly batch_index: number | null
}

/** What the row of a payment's batch adds; null if it is in none. */
export type BatchStateRow = { readonly batch_state: BatchState | null; readonly is_paid: boolean | null }

/** The columns of a `BatchStateRow`, from `batch b`. */
const batchState = (index: number | null) =>
  sql`b.state as batch_state, get_bit(b.results, ${index}::integer) = 1 as is_paid`

export function wireStateOf(row: StateRow, batch: BatchStateRow | undefined): IntentState {
  return wireState({
    state: row.state,
    isSettledOutside: row.outside_block !== null,
    batch: batch?.batch_state ? { state: batch.batch_state, isPaid: batch.is_paid ?? false } : undefined,
  })
}

/**
 * Locks a payment until the DB transaction ends and tells its state as everybody sees it; undefined if there is none.
 * Batches take payments by an update of the same row: whoever is second sees what the first has made of it.
 */
export async function lockIntent(tx: DbTransaction, uuid: string): Promise<IntentState | undefined> {
  const [row] = await query(
    tx,
    sql<StateRow>`select state, outside_block, batch_id, batch_index from intent where id = ${uuid} for update`,
  )
  if (row === undefined) return undefined
  // A statement of its own: one that waited for the lock would show the batch as it was before the wait, and a join
  // would open every day of `batch`.
  const [batch] =
    row.batch_id === null
      ? []
      : await query(
          tx,
          sql<BatchStateRow>`select ${batchState(row.batch_index)} from batch b where b.id = ${row.batch_id}`,
        )
  return wireStateOf(row, batch)
}
