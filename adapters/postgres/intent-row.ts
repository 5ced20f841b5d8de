import { sql } from 'kysely'
import type { IntentState } from '../../core/intent.ts'
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

/**
 * Locks a payment until the DB transaction ends and tells its state as everybody sees it; undefined if there is none.
 * Batches take payments by an update of the same row: whoever is second sees what the first has made of it.
 */
export async function lockIntent(tx: DbTransaction, uuid: string): Promise<IntentState | undefined> {
  await sql`select from intent where id = ${uuid} for update`.execute(tx)
  // A statement of its own: the one that waited for the lock would show the batch as it was before the wait.
  const [row] = await query(tx, sql<{ wire_state: IntentState }>`select wire_state from intent_view where id = ${uuid}`)
  return row?.wire_state
}
