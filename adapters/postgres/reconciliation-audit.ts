import { sql } from 'kysely'
import type { Hex } from 'viem'
import type { AuditRecordFact, Overdue } from '../../core/obligations.ts'
import type { VaultKey } from '../../core/ports/reconciliation.ts'
import { bytes, hexOf, idOf } from './codec.ts'
import { type Database, query } from './database.ts'

/** Read from the very bytes that are archived. A record that is not built yet says nothing, which is a difference. */
export async function auditRecordFacts(
  database: Database,
  { chainId, vault }: VaultKey,
  txHashes: readonly Hex[],
): Promise<readonly AuditRecordFact[]> {
  const places = await query(
    database,
    sql<{ tx_hash: Buffer; record_id: string }>`
      select tx_hash, record_id from audit_tx
      where chain_id = ${chainId} and vault = ${bytes(vault)} and tx_hash = any(${txHashes.map(bytes)}::bytea[])`,
  )
  // An empty set would open every day.
  if (places.length === 0) return []
  const records = await query(
    database,
    sql<{ tx_hash: Buffer; count: number; amount: string }>`
      select r.tx_hash, paid.count, paid.amount from audit_record r
        cross join lateral (
          select count(*), coalesce(sum((payment ->> 'amount')::numeric), 0) as amount
          from jsonb_array_elements(convert_from(r.bytes, 'UTF8')::jsonb -> 'payments') as payment
          where (payment ->> 'result')::boolean
        ) as paid
      where r.id = any(${places.map(({ record_id }) => record_id)}::uuid[]) and r.bytes is not null`,
  )
  return records.map(({ tx_hash, count, amount }) => ({ txHash: hexOf(tx_hash), count, amount: BigInt(amount) }))
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
    sql<{ record_id: string; store: string; state: string; hours: number }>`
      select record_id, store, state, floor(extract(epoch from now() - created_at) / 3600)::integer as hours
      from archive_copy
      where chain_id = ${chainId} and vault = ${bytes(vault)} and state <> 'archived'
        and created_at < now() - ${olderThanHours} * interval '1 hour'
      order by created_at limit ${countMax}`,
  )
  return found.map(({ record_id, store, state, hours }) => ({
    id: `${idOf('ar', record_id)}/${store}`,
    state,
    ageHours: hours,
  }))
}
