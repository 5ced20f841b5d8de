import { type RawBuilder, sql } from 'kysely'
import type { Hex } from 'viem'
import { RelayError } from '../../core/errors.ts'
import type { IntentRecord, Intents } from '../../core/ports/intents.ts'
import { type Guarantee, zeroHash } from '../../core/protocol/typed-data.ts'
import { proven, type TreeRow } from './acknowledgements.ts'
import { addressOf, byteaText, hexOf, idOf, uuidAt, uuidOf } from './codec.ts'
import { type Database, query } from './database.ts'
import { cancel } from './intent-cancel.ts'
import { type HoldWiring, reject, release } from './intent-hold.ts'
import { listIntents } from './intent-list.ts'
import { type BatchStateRow, type IntentRow, paymentOf, type StateRow, takingOf, wireStateOf } from './intent-row.ts'

/** `cancel` of an unknown id throws RelayError `not_found`; `release` with another chain than the payment's, RangeError. */
export function createIntents(wiring: HoldWiring): Intents {
  return {
    find: async (id) => {
      const uuid = uuidOf('pi', id)
      return uuid === undefined ? undefined : (await load(wiring.database, [uuid]))[0]
    },
    list: (query) => listIntents(wiring.database, query, load),
    states: async (ids) => {
      const uuids = ids.map((id) => uuidOf('pi', id)).filter((uuid) => uuid !== undefined)
      return new Map((await load(wiring.database, uuids)).map(({ id, state }) => [id, state]))
    },
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
    readonly payment_id: string
    readonly order_app_id: string | null
    readonly payee_app_id: string | null
    readonly order_hash: Buffer | null
  }

/** The payments that exist among these, newest first. */
async function load(database: Database, uuids: readonly string[]): Promise<readonly IntentRecord[]> {
  if (uuids.length === 0) return []
  const rows = await query(database, sql<Row>`select * from intent where id = any(${uuids}::uuid[]) order by id desc`)
  if (rows.length === 0) return []
  const around = new Map((await query(database, aroundOf(rows))).map((row) => [row.payment_id, row]))
  return rows.map((row) => recordOf(row, around.get(row.id) ?? lost(row.id)))
}

function lost(uuid: string): never {
  throw new RelayError('internal', `a left join lost ${idOf('pi', uuid)}`)
}

/** An id before all days, which no row has: an empty set of ids would open every day. */
const nobody = uuidAt(0)

/** By ids that the statement names: each table opens the days of these. Joined to `intent`, they would open and lock every day. */
function aroundOf(rows: readonly Row[]): RawBuilder<Around> {
  const set = rows.map(({ id, batch_id, batch_index, order_id, acknowledgement_id, chain_id, payee }) => ({
    ...{ payment_id: id, batch_id, batch_index, order_id, acknowledgement_id, chain_id },
    payee: byteaText(hexOf(payee)),
  }))
  const named = (ids: readonly (string | null)[]) => [...new Set(ids.map((id) => id ?? nobody))]
  return sql<Around>`
    select r.payment_id, b.state as batch_state, is_paid(b.results, r.batch_index) as is_paid,
      b.tx_hash as batch_tx, b.block_number as batch_block,
      o.app_id as order_app_id, o.order_hash, p.app_id as payee_app_id,
      a.root, a.leaf_count, a.nodes, a.signature as root_signature, a.key_certificate
    from jsonb_to_recordset(${JSON.stringify(set)}::jsonb) as r(payment_id uuid, batch_id uuid, batch_index integer,
        order_id uuid, acknowledgement_id uuid, chain_id bigint, payee bytea)
      left join batch b on b.id = r.batch_id and b.id = any(${named(set.map((row) => row.batch_id))}::uuid[])
      left join payment_order o on o.id = r.order_id and o.id = any(${named(set.map((row) => row.order_id))}::uuid[])
      left join acknowledgement a on a.id = r.acknowledgement_id
        and a.id = any(${named(set.map((row) => row.acknowledgement_id))}::uuid[])
      left join payee_owner p on p.chain_id = r.chain_id and p.payee = r.payee`
}

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
    taking: takingOf(row),
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
