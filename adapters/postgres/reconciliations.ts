import { sql } from 'kysely'
import type { ReconciliationRecord, Reconciliations } from '../../core/ports/reconciliations.ts'
import { addressOf, idOf, uuidOf } from './codec.ts'
import { type Database, query } from './database.ts'
import { assignBreak, breaksOpenedIn, listBreaks, openBreakCounts, resolveBreak } from './reconciliation-breaks.ts'
import { type SettlementJson, settlementOf, type TotalsJson, totalsOfJson } from './reconciliation-json.ts'

export function createReconciliations(database: Database): Reconciliations {
  return {
    find: async (id) => {
      const uuid = uuidOf('rc', id)
      if (uuid === undefined) return undefined
      const [row] = await query(database, sql<Row>`select * from reconciliation where id = ${uuid}`)
      return row && recordOf(row)
    },
    list: (filter) => list(database, filter),
    openedIn: (id, countMax) => breaksOpenedIn(database, id, countMax),
    listBreaks: (filter) => listBreaks(database, filter),
    assign: (assignment) => assignBreak(database, assignment),
    resolve: (resolution) => resolveBreak(database, resolution),
    openCounts: () => openBreakCounts(database),
  }
}

type Row = {
  id: string
  chain_id: number
  vault: Buffer
  kind: ReconciliationRecord['kind']
  from_block: number
  to_block: number
  from_at: number
  to_at: number
  sources: readonly string[]
  totals: readonly TotalsJson[]
  settlements: readonly SettlementJson[]
  break_count: number
  known_count: number
  open_count: number
  open_seconds_max: number
  started_at: Date
  finished_at: Date
}

function recordOf(row: Row): ReconciliationRecord {
  return {
    id: idOf('rc', row.id),
    chainId: row.chain_id,
    vault: addressOf(row.vault),
    kind: row.kind,
    fromBlock: BigInt(row.from_block),
    toBlock: BigInt(row.to_block),
    fromAt: BigInt(row.from_at),
    toAt: BigInt(row.to_at),
    sources: row.sources,
    totals: row.totals.map(totalsOfJson),
    settlements: row.settlements.map(settlementOf),
    breakCount: row.break_count,
    knownCount: row.known_count,
    openCount: row.open_count,
    openSecondsMax: row.open_seconds_max,
    startedAtMillis: row.started_at.getTime(),
    finishedAtMillis: row.finished_at.getTime(),
  }
}

/** Newest first, by id: one more than asked for tells whether there are more. */
async function list(
  database: Database,
  { chainId, kind, hasBreaks, after, countMax }: Parameters<Reconciliations['list']>[0],
): ReturnType<Reconciliations['list']> {
  const below = after === undefined ? undefined : uuidOf('rc', after)
  if (after !== undefined && below === undefined) return { items: [], next: undefined }
  const conditions = [
    sql`true`,
    ...(chainId === undefined ? [] : [sql`chain_id = ${chainId}`]),
    ...(kind === undefined ? [] : [sql`kind = ${kind}`]),
    ...(hasBreaks === undefined ? [] : [hasBreaks ? sql`break_count > 0` : sql`break_count = 0`]),
    ...(below === undefined ? [] : [sql`id < ${below}`]),
  ]
  const found = await query(
    database,
    sql<Row>`
      select * from reconciliation where ${sql.join(conditions, sql` and `)} order by id desc limit ${countMax + 1}`,
  )
  const items = found.slice(0, countMax).map(recordOf)
  return { items, next: found.length > countMax ? items.at(-1)?.id : undefined }
}
