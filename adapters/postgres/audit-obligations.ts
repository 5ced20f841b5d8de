import { sql } from 'kysely'
import type { SettlingTx } from '../../core/ports/finalization.ts'
import type { BatchSpan } from './batch-span.ts'
import { byteaText, bytes, hexOf, newId, uuidOfOwn } from './codec.ts'
import { type DbTransaction, query } from './database.ts'
import type { Scope } from './ending.ts'

/** Settled payments per app. */
type Counts = ReadonlyMap<string, number>

/**
 * Numbers the settling txs of one step of finality and the payments of each app in them, and opens a record for each.
 * Runs after the payments have their ends, inside the DB transaction that makes them final and under the lock of the
 * chain's view: what is rolled back was never numbered, so no number is missing or given twice.
 */
export async function openAuditRecords(
  { tx, chainId, vault }: Scope,
  settling: readonly SettlingTx[],
  span: BatchSpan,
): Promise<void> {
  if (settling.length === 0) return
  const inBatches = await countInBatches(tx, span)
  const outside = await appsOf(
    tx,
    settling.flatMap(({ digests }) => digests),
  )
  const countsOf = ({ batchId, digests }: SettlingTx): Counts =>
    batchId === undefined ? countBy(digests, outside) : (inBatches.get(uuidOfOwn('sb', batchId)) ?? new Map())

  const last = await takeRecordNumbers(tx, chainId, vault, settling.length)
  const all = settling.map((each) => ({ ...each, counts: countsOf(each) }))
  const next = await takeAppNumbers(tx, chainId, vault, totals(all.map(({ counts }) => counts)))
  await insertRecords(
    tx,
    all.map(({ txHash, blockNumber, blockHash, batchId, counts }, index) => ({
      id: batchId === undefined ? uuidOfOwn('ar', newId('ar')) : uuidOfOwn('sb', batchId),
      chain: chainId,
      vault: byteaText(vault),
      sequence: last - settling.length + 1 + index,
      batch: batchId === undefined ? null : uuidOfOwn('sb', batchId),
      tx: byteaText(txHash),
      number: `${blockNumber}`,
      hash: byteaText(blockHash),
      apps: Object.fromEntries([...counts].map(([appId, count]) => [appId, takeRange(next, appId, count)])),
    })),
  )
}

/** What is still bound to a batch of these is what it settled. */
async function countInBatches(tx: DbTransaction, { ids, low, high }: BatchSpan): Promise<ReadonlyMap<string, Counts>> {
  if (ids.length === 0) return new Map()
  const rows = await query(
    tx,
    sql<{ batch_id: string; app_id: string; count: number }>`
      select batch_id, app_id, count(*) as count from intent
      where batch_id = any(${ids}::uuid[]) and state = 'batched' and id between ${low} and ${high}
      group by batch_id, app_id order by batch_id, app_id`,
  )
  const byBatch = new Map<string, Map<string, number>>()
  for (const { batch_id, app_id, count } of rows) {
    byBatch.set(batch_id, (byBatch.get(batch_id) ?? new Map<string, number>()).set(app_id, count))
  }
  return byBatch
}

/** Payments that are not in our books have no app. */
async function appsOf(tx: DbTransaction, digests: readonly `0x${string}`[]): Promise<ReadonlyMap<string, string>> {
  if (digests.length === 0) return new Map()
  const rows = await query(
    tx,
    sql<{ digest: Buffer; app_id: string }>`
      select digest, app_id from intent_digest where digest = any(${digests.map(bytes)}::bytea[])`,
  )
  return new Map(rows.map(({ digest, app_id }) => [hexOf(digest), app_id]))
}

function countBy(digests: readonly string[], apps: ReadonlyMap<string, string>): Counts {
  const counts = new Map<string, number>()
  for (const digest of digests) {
    const appId = apps.get(digest)
    if (appId !== undefined) counts.set(appId, (counts.get(appId) ?? 0) + 1)
  }
  return counts
}

function totals(all: readonly Counts[]): Counts {
  const sums = new Map<string, number>()
  for (const counts of all) for (const [appId, count] of counts) sums.set(appId, (sums.get(appId) ?? 0) + count)
  return sums
}

/** Returns the last number taken. */
async function takeRecordNumbers(
  tx: DbTransaction,
  chainId: number,
  vault: `0x${string}`,
  count: number,
): Promise<number> {
  const [head] = await query(
    tx,
    sql<{ sequence: number }>`
      insert into audit_head as h (chain_id, vault, sequence) values (${chainId}, ${bytes(vault)}, ${count})
      on conflict (chain_id, vault) do update set sequence = h.sequence + excluded.sequence
      returning sequence`,
  )
  if (head === undefined) throw new Error(`chain ${chainId} has no audit head`)
  return head.sequence
}

/** Returns the first number taken of each app. */
async function takeAppNumbers(
  tx: DbTransaction,
  chainId: number,
  vault: `0x${string}`,
  counts: Counts,
): Promise<Map<string, number>> {
  if (counts.size === 0) return new Map()
  const set = [...counts].map(([app, count]) => ({ app, count }))
  const taken = await query(
    tx,
    sql<{ app_id: string; sequence: number }>`
      insert into audit_app_head as h (chain_id, vault, app_id, sequence)
      select ${chainId}::bigint, ${bytes(vault)}::bytea, app, count
      from jsonb_to_recordset(${JSON.stringify(set)}::jsonb) as r(app text, count bigint)
      on conflict (chain_id, vault, app_id) do update set sequence = h.sequence + excluded.sequence
      returning app_id, sequence`,
  )
  return new Map(taken.map(({ app_id, sequence }) => [app_id, sequence - (counts.get(app_id) ?? 0) + 1]))
}

function takeRange(next: Map<string, number>, appId: string, count: number): { first: number; count: number } {
  const first = next.get(appId)
  if (first === undefined) throw new Error(`no numbers were taken for ${appId}`)
  next.set(appId, first + count)
  return { first, count }
}

type Row = {
  readonly id: string
  readonly chain: number
  readonly vault: string
  readonly sequence: number
  readonly batch: string | null
  readonly tx: string
  readonly number: string
  readonly hash: string
  readonly apps: Readonly<Record<string, { readonly first: number; readonly count: number }>>
}

/** One statement for a record and its two keys: a number or a tx that is there already undoes the whole step. */
async function insertRecords(tx: DbTransaction, rows: readonly Row[]): Promise<void> {
  await sql`
    with rows as (
      select * from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as r(id uuid, chain bigint, vault bytea, sequence bigint,
        batch uuid, tx bytea, number bigint, hash bytea, apps jsonb)
    ), numbered as (
      insert into audit_sequence (chain_id, vault, sequence, record_id) select chain, vault, sequence, id from rows
    ), found as (
      insert into audit_tx (chain_id, vault, tx_hash, record_id) select chain, vault, tx, id from rows
    )
    insert into audit_record (id, chain_id, vault, sequence, batch_id, tx_hash, block_number, block_hash, app_sequences)
    select id, chain, vault, sequence, batch, tx, number, hash, apps from rows`.execute(tx)
}
