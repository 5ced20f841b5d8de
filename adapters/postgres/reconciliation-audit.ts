import { sql } from 'kysely'
import type { Hex } from 'viem'
import type { AuditRecordFact, Overdue } from '../../core/obligations.ts'
import type { BlockRange, VaultKey } from '../../core/ports/reconciliation.ts'
import { bytes, hexOf, idOf } from './codec.ts'
import { type Database, query } from './database.ts'
import { intentWindow } from './reconciliation-window.ts'

/** Read from the very bytes that are archived. A record that is not built yet says nothing, which is a difference. */
export async function auditRecordFacts(
  database: Database,
  vault: VaultKey,
  range: BlockRange,
  txHashes: readonly Hex[],
): Promise<readonly AuditRecordFact[]> {
  const ids = [...(await recordsOf(database, vault, txHashes)), ...(await strays(database, vault, range, txHashes))]
  // An empty set would open every day.
  if (ids.length === 0) return []
  const records = await query(
    database,
    sql<{ tx_hash: Buffer; count: number; amount: string }>`
      select r.tx_hash, paid.count, paid.amount from audit_record r
        cross join lateral (
          select count(*), coalesce(sum((payment ->> 'amount')::numeric), 0) as amount
          from jsonb_array_elements(convert_from(r.bytes, 'UTF8')::jsonb -> 'payments') as payment
          where (payment ->> 'result')::boolean
        ) as paid
      where r.id = any(${ids}::uuid[]) and r.bytes is not null`,
  )
  return records.map(({ tx_hash, count, amount }) => ({ txHash: hexOf(tx_hash), count, amount: BigInt(amount) }))
}

async function recordsOf(
  database: Database,
  { chainId, vault }: VaultKey,
  txHashes: readonly Hex[],
): Promise<readonly string[]> {
  const found = await query(
    database,
    sql<{ record_id: string }>`
      select record_id from audit_tx
      where chain_id = ${chainId} and vault = ${bytes(vault)} and tx_hash = any(${txHashes.map(bytes)}::bytea[])`,
  )
  return found.map(({ record_id }) => record_id)
}

/** Records of these blocks whose txs are none of these. A record has the id of its batch, or was made when it was final. */
async function strays(
  database: Database,
  { chainId, vault }: VaultKey,
  range: BlockRange,
  txHashes: readonly Hex[],
): Promise<readonly string[]> {
  const { low, high } = intentWindow(range)
  const found = await query(
    database,
    sql<{ id: string }>`
      select id from audit_record
      where chain_id = ${chainId} and vault = ${bytes(vault)} and id between ${low} and ${high}
        and block_number > ${range.from.number} and block_number <= ${range.to.number}
        and tx_hash <> all(${txHashes.map(bytes)}::bytea[])`,
  )
  return found.map(({ id }) => id)
}

/**
 * The next record to build, if that is older. All later ones wait for it and are not told of.
 * Both by constants, so that one day is opened.
 */
export async function overdueRecord(
  database: Database,
  key: VaultKey,
  olderThanHours: number,
): Promise<readonly Overdue[]> {
  const next = await nextUnbuilt(database, key)
  if (next === undefined || next.ageHours < olderThanHours) return []
  return [{ what: 'record', id: idOf('ar', next.id) }]
}

/** Records are built in the order of the chain: if this one is above a block, all up to that block are built. */
export async function nextUnbuilt(
  database: Database,
  { chainId, vault }: VaultKey,
): Promise<{ readonly id: string; readonly blockNumber: bigint; readonly ageHours: number } | undefined> {
  const [place] = await query(
    database,
    sql<{ record_id: string }>`
      select s.record_id from audit_head h join audit_sequence s
        on s.chain_id = h.chain_id and s.vault = h.vault and s.sequence = h.built_sequence + 1
      where h.chain_id = ${chainId} and h.vault = ${bytes(vault)}`,
  )
  if (place === undefined) return undefined
  const [row] = await query(
    database,
    sql<{ block_number: number; hours: number }>`
      select block_number, extract(epoch from now() - created_at)::double precision / 3600 as hours
      from audit_record where id = ${place.record_id}`,
  )
  return row && { id: place.record_id, blockNumber: BigInt(row.block_number), ageHours: row.hours }
}

/** Copies that no store has given back yet, oldest first. */
export async function overdueCopies(
  database: Database,
  { chainId, vault }: VaultKey,
  olderThanHours: number,
  countMax: number,
): Promise<readonly Overdue[]> {
  const found = await query(
    database,
    sql<{ record_id: string; store: string; state: string }>`
      select record_id, store, state from archive_copy
      where chain_id = ${chainId} and vault = ${bytes(vault)} and state <> 'archived'
        and created_at < now() - ${olderThanHours} * interval '1 hour'
      order by created_at limit ${countMax}`,
  )
  return found.map(({ record_id, store, state }) => ({ what: 'copy', id: `${idOf('ar', record_id)}/${store}`, state }))
}
