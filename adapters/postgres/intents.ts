import { sql } from 'kysely'
import type { Hex } from 'viem'
import type { IntentState } from '../../core/intent.ts'
import type { IntentRecord, Intents } from '../../core/ports/intents.ts'
import { type Guarantee, zeroHash } from '../../core/protocol/typed-data.ts'
import { proven, type TreeRow } from './acknowledgements.ts'
import { addressOf, hexOf, idOf, uuidOf } from './codec.ts'
import { type Database, query } from './database.ts'
import { cancel } from './intent-cancel.ts'
import { type HoldWiring, reject, release } from './intent-hold.ts'
import { type IntentRow, paymentOf } from './intent-row.ts'

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
  (TreeRow | { readonly [Column in keyof TreeRow]: null }) & {
    readonly wire_state: IntentState
    readonly reason: string | null
    readonly guarantee: Guarantee | null
    readonly accepted_at: number | null
    readonly settle_by: number | null
    readonly acknowledgement_index: number | null
    readonly batch_id: string | null
    readonly batch_index: number | null
    readonly settled_tx: Buffer | null
    readonly settled_block: number | null
    readonly created_at: Date
    readonly order_app_id: string | null
    readonly order_hash: Buffer | null
  }

async function find(database: Database, id: string): Promise<IntentRecord | undefined> {
  const uuid = uuidOf('pi', id)
  if (uuid === undefined) return undefined
  const [row] = await query(
    database,
    sql<Row>`
      select i.*, o.app_id as order_app_id, o.order_hash, a.root, a.leaves, a.signature as root_signature, a.key_certificate
      from intent_view i
        left join payment_order o on o.id = i.order_id
        left join acknowledgement a on a.id = i.acknowledgement_id
      where i.id = ${uuid}`,
  )
  return row && recordOf(row)
}

function recordOf(row: Row): IntentRecord {
  // A batch in which this payment's record failed has a transaction too, but not one that settled it.
  const isSettled = row.wire_state === 'included' || row.wire_state === 'finalized'
  return {
    id: idOf('pi', row.id),
    appId: row.app_id,
    chainId: row.chain_id,
    vault: addressOf(row.vault),
    payment: paymentOf(row),
    digest: hexOf(row.digest),
    orderId: row.order_id === null ? undefined : idOf('po', row.order_id),
    orderAppId: row.order_app_id ?? undefined,
    state: row.wire_state,
    reason: row.reason ?? undefined,
    acknowledgement: acknowledgementOf(row),
    batchId: row.batch_id === null ? undefined : idOf('sb', row.batch_id),
    batchIndex: row.batch_index ?? undefined,
    settledTx: isSettled && row.settled_tx !== null ? hexOf(row.settled_tx) : undefined,
    settledBlock: isSettled && row.settled_block !== null ? BigInt(row.settled_block) : undefined,
    createdAtMillis: row.created_at.getTime(),
  }
}

function acknowledgementOf(row: Row): IntentRecord['acknowledgement'] {
  const { guarantee, accepted_at, settle_by, acknowledgement_index } = row
  if (guarantee === null || accepted_at === null || settle_by === null || acknowledgement_index === null)
    return undefined
  if (row.root === null) return undefined
  const orderHash: Hex = row.order_hash === null ? zeroHash : hexOf(row.order_hash)
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
    row,
  )
}
