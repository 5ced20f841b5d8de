import { sql } from 'kysely'
import { type BreakKind, breakKinds } from '../../core/break.ts'
import type { BreakDecision, BreakRecord, BreakResolution, Reconciliations } from '../../core/ports/reconciliations.ts'
import { addressOf, idOf, newId, uuidOf, uuidOfOwn } from './codec.ts'
import { type Database, type DbTransaction, inTransaction, query } from './database.ts'

type Row = {
  id: string
  chain_id: number
  vault: Buffer
  kind: BreakKind
  subject: string
  token: Buffer
  expected: string | null
  actual: string | null
  owner: string
  opened_in: string
  seen_in: string
  opened_at: Date
  seen_at: Date
  resolution: BreakResolution | null
  note: string | null
  resolved_by: string | null
  resolved_at: Date | null
}

function recordOf(row: Row): BreakRecord {
  const { resolution, note, resolved_by: by, resolved_at: at } = row
  return {
    id: idOf('br', row.id),
    chainId: row.chain_id,
    vault: addressOf(row.vault),
    kind: row.kind,
    subject: row.subject,
    token: row.token.length === 0 ? undefined : addressOf(row.token),
    expected: row.expected ?? undefined,
    actual: row.actual ?? undefined,
    owner: row.owner,
    openedIn: idOf('rc', row.opened_in),
    seenIn: idOf('rc', row.seen_in),
    openedAtMillis: row.opened_at.getTime(),
    seenAtMillis: row.seen_at.getTime(),
    resolution:
      resolution === null || note === null || by === null || at === null
        ? undefined
        : { kind: resolution, note, by, atMillis: at.getTime() },
  }
}

export async function breaksOpenedIn(
  database: Database,
  id: string,
  countMax: number,
): Promise<readonly BreakRecord[]> {
  const uuid = uuidOf('rc', id)
  if (uuid === undefined) return []
  const found = await query(
    database,
    sql<Row>`select * from reconciliation_break where opened_in = ${uuid} order by id desc limit ${countMax}`,
  )
  return found.map(recordOf)
}

/** Newest first: breaks are few, and each is somebody's work. */
export async function listBreaks(
  database: Database,
  { isOpen, after, countMax }: Parameters<Reconciliations['listBreaks']>[0],
): ReturnType<Reconciliations['listBreaks']> {
  const below = after === undefined ? undefined : uuidOf('br', after)
  if (after !== undefined && below === undefined) return { items: [], next: undefined }
  const conditions = [
    sql`true`,
    ...(isOpen === undefined ? [] : [isOpen ? sql`resolved_at is null` : sql`resolved_at is not null`]),
    ...(below === undefined ? [] : [sql`id < ${below}`]),
  ]
  const found = await query(
    database,
    sql<Row>`
      select * from reconciliation_break where ${sql.join(conditions, sql` and `)} order by id desc limit ${countMax + 1}`,
  )
  const items = found.slice(0, countMax).map(recordOf)
  return { items, next: found.length > countMax ? items.at(-1)?.id : undefined }
}

export async function openBreakCounts(database: Database): Promise<ReadonlyMap<BreakKind, number>> {
  const found = await query(
    database,
    sql<{ kind: BreakKind; count: number }>`
      select kind, count(*) as count from reconciliation_break where resolved_at is null group by kind`,
  )
  const counts = new Map(found.map(({ kind, count }) => [kind, count]))
  return new Map((Object.keys(breakKinds) as BreakKind[]).map((kind) => [kind, counts.get(kind) ?? 0]))
}

export function assignBreak(
  database: Database,
  { id, owner, operatorId, note }: Parameters<Reconciliations['assign']>[0],
): Promise<BreakDecision> {
  return decide(database, id, async (tx, uuid) => {
    await storeOpLog(tx, { operatorId, action: 'break.assign', subject: id, note: note ?? `to ${owner}` })
    return query(tx, sql<Row>`update reconciliation_break set owner = ${owner} where id = ${uuid} returning *`)
  })
}

export function resolveBreak(
  database: Database,
  { id, kind, operatorId, note }: Parameters<Reconciliations['resolve']>[0],
): Promise<BreakDecision> {
  return decide(database, id, async (tx, uuid) => {
    await storeOpLog(tx, { operatorId, action: `break.${kind}`, subject: id, note })
    return query(
      tx,
      sql<Row>`
        update reconciliation_break set resolution = ${kind}, note = ${note}, resolved_by = ${operatorId}, resolved_at = now()
        where id = ${uuid} returning *`,
    )
  })
}

/** Does `work` if the break is open, under its row lock: a reconciliation may find or clear it at the same moment. */
async function decide(
  database: Database,
  id: string,
  work: (tx: DbTransaction, uuid: string) => Promise<readonly Row[]>,
): Promise<BreakDecision> {
  const uuid = uuidOf('br', id)
  if (uuid === undefined) return { outcome: 'not_found' }
  return inTransaction(database, async (tx): Promise<BreakDecision> => {
    const [row] = await query(tx, sql<Row>`select * from reconciliation_break where id = ${uuid} for update`)
    if (row === undefined) return { outcome: 'not_found' }
    if (row.resolved_at !== null) return { outcome: 'not_open', record: recordOf(row) }
    const [decided] = await work(tx, uuid)
    return decided === undefined ? { outcome: 'not_found' } : { outcome: 'decided', record: recordOf(decided) }
  })
}

type OpLogLine = {
  readonly operatorId: string
  readonly action: string
  readonly subject: string
  readonly note: string
}

async function storeOpLog(tx: DbTransaction, { operatorId, action, subject, note }: OpLogLine): Promise<void> {
  await sql`
    insert into op_log (id, app_id, action, subject, note)
    values (${uuidOfOwn('ol', newId('ol'))}, ${operatorId}, ${action}, ${subject}, ${note})`.execute(tx)
}
