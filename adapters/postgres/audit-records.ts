import { sql } from 'kysely'
import type { AuditRecords, AuditRecordView } from '../../core/ports/audit-records.ts'
import { hexOf, idOf, uuidOf } from './codec.ts'
import { type Database, query } from './database.ts'

export function createAuditRecords(database: Database): AuditRecords {
  const findBy = async (prefix: 'ar' | 'sb', id: string): Promise<AuditRecordView | undefined> => {
    const uuid = uuidOf(prefix, id)
    return uuid === undefined ? undefined : find(database, uuid)
  }
  return {
    find: (id) => findBy('ar', id),
    // A record has the id of its batch.
    findOfBatch: (batchId) => findBy('sb', batchId),
    bytes: async (id) => {
      const uuid = uuidOf('ar', id)
      if (uuid === undefined) return undefined
      const [row] = await query(
        database,
        sql<{ bytes: Buffer | null }>`select bytes from audit_record where id = ${uuid}`,
      )
      return row?.bytes ?? undefined
    },
    isVisibleTo: async (id, appId) => {
      const uuid = uuidOf('ar', id)
      if (uuid === undefined) return false
      const [row] = await query(
        database,
        sql<{ is_own: boolean }>`
          select jsonb_exists(app_sequences, ${appId}::text) as is_own from audit_record where id = ${uuid}`,
      )
      return row?.is_own ?? false
    },
  }
}

async function find(database: Database, uuid: string): Promise<AuditRecordView | undefined> {
  type Row = { chain_id: number; sequence: number; batch_id: string | null; sha256: Buffer | null; cid: string | null }
  const [row] = await query(
    database,
    sql<Row>`select chain_id, sequence, batch_id, sha256, cid from audit_record where id = ${uuid}`,
  )
  if (row === undefined) return undefined
  type CopyRow = {
    store: AuditRecordView['copies'][number]['store']
    state: AuditRecordView['copies'][number]['state']
    item_id: string | null
    failures: number
    last_error: string | null
    archived_at: Date | null
  }
  const copies = await query(
    database,
    sql<CopyRow>`
      select store, state, item_id, failures, last_error, archived_at from archive_copy
      where record_id = ${uuid} order by store desc`,
  )
  return {
    id: idOf('ar', uuid),
    chainId: row.chain_id,
    sequence: BigInt(row.sequence),
    batchId: row.batch_id === null ? undefined : idOf('sb', row.batch_id),
    sha256: row.sha256 === null ? undefined : hexOf(row.sha256),
    cid: row.cid ?? undefined,
    copies: copies.map((copy) => ({
      store: copy.store,
      state: copy.state,
      itemId: copy.item_id ?? undefined,
      failures: copy.failures,
      lastError: copy.last_error ?? undefined,
      archivedAtMillis: copy.archived_at?.getTime(),
    })),
  }
}
