import { sql } from 'kysely'
import type { Hex } from 'viem'
import type { StoreName } from '../../core/archive.ts'
import type { Archive, OpenCopy } from '../../core/ports/archive.ts'
import { bytes, hexOf, idOf, uuidOfOwn } from './codec.ts'
import { type Database, query } from './database.ts'

const reasonCharactersMax = 500

export function createArchive(database: Database): Archive {
  return {
    claim: (due) => claim(database, due),
    seal: async (copy, { id, envelope }) =>
      isHeld(
        await sql`
          update archive_copy set state = 'sealed', item_id = ${id}, envelope = ${envelope}
          where ${heldBy(copy)} and state = 'waiting'`.execute(database),
      ),
    post: async (copy) =>
      isHeld(
        await sql`update archive_copy set state = 'posted' where ${heldBy(copy)} and state = 'sealed'`.execute(
          database,
        ),
      ),
    finish: async (copy) =>
      isHeld(
        await sql`
          update archive_copy set state = 'archived', archived_at = now(), failures = 0, last_error = null, envelope = null,
            leased_until = null
          where ${heldBy(copy)} and state = 'posted'`.execute(database),
      ),
    wait: async (copy, millis) => {
      await sql`
        update archive_copy set failures = 0, last_error = null, leased_until = null,
          next_attempt_at = now() + ${millis} * interval '1 millisecond'
        where ${heldBy(copy)}`.execute(database)
    },
    fail: async (copy, { state, reason, millis }) => {
      const text = reason.replaceAll('\u0000', '').slice(0, reasonCharactersMax)
      await sql`
        update archive_copy set state = ${state}, failures = failures + 1, last_error = ${text}, leased_until = null,
          item_id = case when ${state} = 'waiting' then null else item_id end,
          envelope = case when ${state} = 'waiting' then null else envelope end,
          next_attempt_at = now() + ${millis} * interval '1 millisecond'
        where ${heldBy(copy)}`.execute(database)
    },
  }
}

const heldBy = ({ id, store, fence }: OpenCopy) => sql`
  record_id = ${uuidOfOwn('ar', id)} and store = ${store} and fence = ${fence} and state <> 'archived'`
const isHeld = ({ numAffectedRows }: { numAffectedRows?: bigint | undefined }): boolean => numAffectedRows === 1n

/** Longest due first. `skip locked`: what another process is taking at this moment is not waited for. */
async function claim(
  database: Database,
  { chainId, vault, store, countMax, leaseMillis }: Parameters<Archive['claim']>[0],
): Promise<readonly OpenCopy[]> {
  type Row = {
    record_id: string
    store: StoreName
    state: OpenCopy['state']
    item_id: string | null
    envelope: string | null
    failures: number
    fence: number
  }
  const claimed = await query(
    database,
    sql<Row>`
      with due as (
        select record_id from archive_copy
        where chain_id = ${chainId} and vault = ${bytes(vault)} and store = ${store} and state <> 'archived'
          and next_attempt_at <= now() and (leased_until is null or leased_until < now())
        order by next_attempt_at limit ${countMax} for update skip locked
      )
      update archive_copy c set fence = c.fence + 1, leased_until = now() + ${leaseMillis} * interval '1 millisecond'
      from due where c.record_id = due.record_id and c.store = ${store}
      returning c.record_id, c.store, c.state, c.item_id, c.envelope, c.failures, c.fence`,
  )
  if (claimed.length === 0) return []
  type RecordRow = { id: string; chain_id: number; sequence: number; sha256: Buffer; cid: string; bytes: Buffer }
  const records = await query(
    database,
    sql<RecordRow>`
      select id, chain_id, sequence, sha256, cid, bytes from audit_record
      where id = any(${claimed.map(({ record_id }) => record_id)}::uuid[])`,
  )
  const byId = new Map(records.map((record) => [record.id, record]))
  return claimed.map((row): OpenCopy => {
    const record = byId.get(row.record_id)
    if (record === undefined) throw new Error(`the copy of ${row.record_id} in ${row.store} has no record`)
    return {
      id: idOf('ar', row.record_id),
      store: row.store,
      chainId: record.chain_id,
      sequence: BigInt(record.sequence),
      sha256: hexOf(record.sha256) as Hex,
      cid: record.cid,
      bytes: record.bytes,
      state: row.state,
      sealed: row.item_id === null ? undefined : { id: row.item_id, envelope: row.envelope ?? '' },
      failures: row.failures,
      fence: row.fence,
    }
  })
}
