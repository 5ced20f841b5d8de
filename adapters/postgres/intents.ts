import { sql } from 'kysely'
import type { Hex } from 'viem'
import { RelayError } from '../../core/errors.ts'
import type { IntentRecord, Intents } from '../../core/ports/intents.ts'
import { type Guarantee, zeroHash } from '../../core/protocol/typed-data.ts'
import { proven, type TreeRow } from './acknowledgements.ts'
import { addressOf, hexOf, idOf, uuidAt, uuidOf } from './codec.ts'
import { type Database, query } from './database.ts'
import { cancel } from './intent-cancel.ts'
import { type HoldWiring, reject, release } from './intent-hold.ts'
import { type BatchStateRow, batchState, type IntentRow, paymentOf, type StateRow, wireStateOf } from './intent-row.ts'

/** `cancel` of an unknown id throws RelayError `not_found`; `release` with another chain than the payment's, RangeError. */
export function createIntents(wiring: HoldWiring): Intents {
  return {
    find: (id) => find(wiring.database, id),
    release: (hold) => release(wiring, hold),
    reject: (hold) => reject(wiring, hold),
    cancel: (request) => cancel(wiring.database, request),
  }
}

type Row = IntentRow &
  StateRow & {
    readonly reason: string | null
    readonly guarantee: Guarantee | null
    readonly accepted_at: number | null
    readonly settle_by: number | null
    readonly acknowledgement_id: string | null
    readonly acknowledgement_index: number | null
    readonly outside_tx: Buffer | null
    readonly created_at: Date
  }

/** What other tables say of a payment; null where it has no batch, no order or no acknowledgement. */
type Around = BatchStateRow &
  (TreeRow | { readonly [Column in keyof TreeRow]: null }) & {
    readonly batch_tx: Buffer | null
    readonly batch_block: number | null
    readonly order_app_id: string | null
    readonly order_hash: Buffer | null
    readonly payee_app_id: string | null
  }

async function find(database: Database, id: string): Promise<IntentRecord | undefined> {
  const uuid = uuidOf('pi', id)
  if (uuid === undefined) return undefined
  const [row] = await query(database, sql<Row>`select * from intent where id = ${uuid}`)
  if (row === undefined) return undefined
  const [around] = await query(database, aroundOf(row))
  if (around === undefined) throw new RelayError('internal', `a left join lost ${id}`)
  return recordOf(row, around)
}

/** An id before all days, which no row has: to be compared with null would open every day. */
const nobody = uuidAt(0)

/** By ids that the statement names: each table opens one day. Joined to `intent`, they would open and lock every day. */
const aroundOf = (row: Row) => sql<Around>`
  select ${batchState(row.batch_index)}, b.tx_hash as batch_tx, b.block_number as batch_block,
    o.app_id as order_app_id, o.order_hash, p.app_id as payee_app_id,
    a.root, a.leaf_count, a.nodes, a.signature as root_signature, a.key_certificate
  from (select) as payment
    left join batch b on b.id = ${row.batch_id ?? nobody}
    left join payment_order o on o.id = ${row.order_id ?? nobody}
    left join acknowledgement a on a.id = ${row.acknowledgement_id ?? nobody}
    left join payee_owner p on p.chain_id = ${row.chain_id} and p.payee = ${row.payee}`

function recordOf(row: Row, around: Around): IntentRecord {
  const state = wireStateOf(row, around)
  // A batch in which this payment's record failed has a transaction too, but not one that settled it.
  const isSettled = state === 'included' || state === 'finalized'
  const settledTx = row.outside_tx ?? around.batch_tx
  const settledBlock = row.outside_block ?? around.batch_block
  return {
    id: idOf('pi', row.id),
    appId: row.app_id,
    chainId: row.chain_id,
    vault: addressOf(row.vault),
    payment: paymentOf(row),
    digest: hexOf(row.digest),
    orderId: row.order_id === null ? undefined : idOf('po', row.order_id),
    orderAppId: around.order_app_id ?? undefined,
    payeeAppId: around.payee_app_id ?? undefined,
    state,
    reason: row.reason ?? undefined,
    acknowledgement: acknowledgementOf(row, around),
    batchId: row.batch_id === null ? undefined : idOf('sb', row.batch_id),
    batchIndex: row.batch_index ?? undefined,
    settledTx: isSettled && settledTx !== null ? hexOf(settledTx) : undefined,
    settledBlock: isSettled && settledBlock !== null ? BigInt(settledBlock) : undefined,
    createdAtMillis: row.created_at.getTime(),
  }
}

function acknowledgementOf(row: Row, around: Around): IntentRecord['acknowledgement'] {
  const { guarantee, accepted_at, settle_by, acknowledgement_index } = row
  if (guarantee === null || accepted_at === null || settle_by === null || acknowledgement_index === null)
    return undefined
  if (around.root === null) return undefined
  const orderHash: Hex = around.order_hash === null ? zeroHash : hexOf(around.order_hash)
  return proven(
    {
      paymentDigest: hexOf(row.digest),
      orderHash,
      fee: 0n,
      guarantee,
      acceptedAt: BigInt(accepted_at),
      settleBy: BigInt(settle_by),
    },
    acknowledgement_index,
    around,
  )
}
