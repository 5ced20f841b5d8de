import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import type { Address, Hex } from 'viem'
import { storeNames } from '../../core/archive.ts'
import type { AuditedApp, BookedCancel, BookedPayment } from '../../core/audit.ts'
import type { Audit, AuditHead, BookedFacts, BuiltRecord, OpenRecord } from '../../core/ports/audit.ts'
import { appTagOf } from '../../core/protocol/audit-record.ts'
import { zeroHash } from '../../core/protocol/typed-data.ts'
import { chainedStarts } from './chained-starts.ts'
import { byteaText, bytes, hexOf, idOf, uuidOfOwn } from './codec.ts'
import { type Database, inTransaction, query } from './database.ts'

const saltBytes = 16

export function createAudit(database: Database): Audit {
  return {
    head: async (chainId, vault) => {
      const head = await readHead(database, chainId, vault)
      return head === undefined ? { sequence: 0n, head: zeroHash } : headOf(head)
    },
    next: (chainId, vault) => next(database, chainId, vault),
    starts: (batchId) => chainedStarts(database, batchId),
    booked: (record, digests) => booked(database, record, digests),
    store: (chainId, vault, record, built) => store(database, chainId, vault, record, built),
  }
}

type HeadRow = { sequence: number; built_sequence: number; head: Buffer }

async function readHead(database: Database, chainId: number, vault: Address): Promise<HeadRow | undefined> {
  const [head] = await query(
    database,
    sql<HeadRow>`
      select sequence, built_sequence, head from audit_head where chain_id = ${chainId} and vault = ${bytes(vault)}`,
  )
  return head
}

function headOf({ built_sequence, head }: HeadRow): AuditHead {
  return { sequence: BigInt(built_sequence), head: hexOf(head) }
}

/** Without a lock: `store` finds out whether somebody was first. */
async function next(database: Database, chainId: number, vault: Address): Promise<OpenRecord | undefined> {
  const head = await readHead(database, chainId, vault)
  if (head === undefined || head.built_sequence === head.sequence) return undefined
  const sequence = head.built_sequence + 1
  const [place] = await query(
    database,
    sql<{ record_id: string }>`
      select record_id from audit_sequence
      where chain_id = ${chainId} and vault = ${bytes(vault)} and sequence = ${sequence}`,
  )
  if (place === undefined) throw new Error(`chain ${chainId} has no audit record ${sequence} of ${head.sequence}`)
  type Row = {
    tx_hash: Buffer
    block_number: number
    block_hash: Buffer
    batch_id: string | null
    anchor_sequence: number | null
    anchor_head: Buffer | null
  }
  // Both by the same id, a constant, so that one day of each is opened.
  const [row] = await query(
    database,
    sql<Row>`
      select r.tx_hash, r.block_number, r.block_hash, r.batch_id, b.anchor_sequence, b.anchor_head
      from audit_record r left join batch b on b.id = ${place.record_id}
      where r.id = ${place.record_id}`,
  )
  if (row === undefined) throw new Error(`audit record ${sequence} of chain ${chainId} has a number and no row`)
  return {
    id: idOf('ar', place.record_id),
    sequence: BigInt(sequence),
    previous: hexOf(head.head),
    txHash: hexOf(row.tx_hash),
    blockNumber: BigInt(row.block_number),
    blockHash: hexOf(row.block_hash),
    batchId: row.batch_id === null ? undefined : idOf('sb', row.batch_id),
    opening:
      row.anchor_sequence === null || row.anchor_head === null
        ? undefined
        : { sequence: BigInt(row.anchor_sequence), head: hexOf(row.anchor_head) },
  }
}

/** Digests, payments, orders, one after the other: each statement names the ids that the one before it found. */
async function booked(database: Database, record: OpenRecord, digests: readonly Hex[]): Promise<BookedFacts> {
  const known = await query(
    database,
    sql<{ intent_id: string }>`
      select intent_id from intent_digest where digest = any(${digests.map(bytes)}::bytea[])`,
  )
  const ids = known.map(({ intent_id }) => intent_id)
  type Row = { digest: Buffer; app_id: string; order_id: string | null; deadline: number; signature: Buffer }
  // An empty set would open every day, here and below.
  const rows =
    ids.length === 0
      ? []
      : await query(
          database,
          sql<Row>`select digest, app_id, order_id, deadline, signature from intent where id = any(${ids}::uuid[])`,
        )
  const orders = await orderHashes(
    database,
    rows.flatMap(({ order_id }) => order_id ?? []),
  )
  const payments = rows.map((row): [Hex, BookedPayment] => [
    hexOf(row.digest),
    {
      appId: row.app_id,
      orderHash: row.order_id === null ? undefined : orders.get(row.order_id),
      deadline: BigInt(row.deadline),
      signature: hexOf(row.signature),
    },
  ])
  const cancels = record.batchId === undefined ? new Map<number, BookedCancel>() : await burnt(database, record.batchId)
  const appIds = new Set([...rows.map(({ app_id }) => app_id), ...[...cancels.values()].map(({ appId }) => appId)])
  return { payments: new Map(payments), cancels, apps: await audited(database, record, [...appIds]) }
}

async function orderHashes(database: Database, ids: readonly string[]): Promise<ReadonlyMap<string, Hex>> {
  if (ids.length === 0) return new Map()
  const rows = await query(
    database,
    sql<{ id: string; order_hash: Buffer }>`select id, order_hash from payment_order where id = any(${ids}::uuid[])`,
  )
  return new Map(rows.map(({ id, order_hash }) => [id, hexOf(order_hash)]))
}

/** What took no effect is bound to no batch any more. */
async function burnt(database: Database, batchId: string): Promise<ReadonlyMap<number, BookedCancel>> {
  const found = await query(
    database,
    sql<{ intent_id: string; batch_index: number }>`
      select intent_id, batch_index from cancellation where batch_id = ${uuidOfOwn('sb', batchId)}`,
  )
  const ids = found.map(({ intent_id }) => intent_id)
  if (ids.length === 0) return new Map()
  const rows = await query(
    database,
    sql<{ id: string; app_id: string }>`
      select id, app_id from intent where id = any(${ids}::uuid[])`,
  )
  const byId = new Map(rows.map((row) => [row.id, row]))
  return new Map(
    found.flatMap(({ intent_id, batch_index }): [number, BookedCancel][] => {
      const row = byId.get(intent_id)
      return row === undefined ? [] : [[batch_index, { appId: row.app_id }]]
    }),
  )
}

/** A tag is drawn when it is first needed; of two processes that draw one, the first is kept. */
async function audited(
  database: Database,
  { id }: OpenRecord,
  appIds: readonly string[],
): Promise<ReadonlyMap<string, AuditedApp>> {
  const drawn = appIds.toSorted().map((app) => {
    const salt: Hex = `0x${randomBytes(saltBytes).toString('hex')}`
    return { app, salt: byteaText(salt), tag: byteaText(appTagOf({ salt, appId: app })) }
  })
  await sql`
    insert into audit_app (app_id, salt, tag)
    select app, salt, tag from jsonb_to_recordset(${JSON.stringify(drawn)}::jsonb) as r(app text, salt bytea, tag bytea)
    on conflict (app_id) do nothing`.execute(database)
  const tags = await query(
    database,
    sql<{ app_id: string; tag: Buffer }>`select app_id, tag from audit_app where app_id = any(${appIds}::text[])`,
  )
  const [record] = await query(
    database,
    sql<{ app_sequences: Record<string, { first: number; count: number }> }>`
      select app_sequences from audit_record where id = ${uuidOfOwn('ar', id)}`,
  )
  const numbers = new Map(Object.entries(record?.app_sequences ?? {}))
  for (const appId of numbers.keys()) {
    if (!appIds.includes(appId)) throw new Error(`audit record ${id} numbers payments of ${appId} and has none of them`)
  }
  return new Map(
    tags.map(({ app_id, tag }) => {
      const { first, count } = numbers.get(app_id) ?? { first: 0, count: 0 }
      return [app_id, { tag: hexOf(tag), first: BigInt(first), count }]
    }),
  )
}

/** The head's row lock makes the chain of hashes one line: only its next record moves it. */
function store(
  database: Database,
  chainId: number,
  vault: Address,
  { id, sequence }: OpenRecord,
  { bytes: content, sha256, cid }: BuiltRecord,
): Promise<'stored' | 'moved'> {
  const uuid = uuidOfOwn('ar', id)
  return inTransaction(database, async (tx) => {
    const moved = await sql`
      update audit_head set built_sequence = ${sequence}, head = ${bytes(sha256)}
      where chain_id = ${chainId} and vault = ${bytes(vault)} and built_sequence = ${sequence - 1n}`.execute(tx)
    if (moved.numAffectedRows !== 1n) return 'moved'
    await sql`
      update audit_record set bytes = ${Buffer.from(content)}, sha256 = ${bytes(sha256)}, cid = ${cid}, built_at = now()
      where id = ${uuid}`.execute(tx)
    await sql`
      insert into archive_copy (record_id, store, chain_id, vault, sequence)
      select ${uuid}::uuid, store, ${chainId}::bigint, ${bytes(vault)}::bytea, ${sequence}::bigint
      from unnest(${storeNames}::text[]) as store`.execute(tx)
    return 'stored'
  })
}
