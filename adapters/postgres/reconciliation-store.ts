import { sql } from 'kysely'
import type { Address } from 'viem'
import { type Difference, deltaOf } from '../../core/break.ts'
import type { NewReconciliation, Stored, VaultKey } from '../../core/ports/reconciliation.ts'
import { byteaText, bytes, idOf, newId, uuidOfOwn } from './codec.ts'
import { type Database, type DbTransaction, inTransaction, query } from './database.ts'
import { jsonOf } from './reconciliation-json.ts'

type Scope = { readonly tx: DbTransaction; readonly vault: VaultKey; readonly uuid: string }

/**
 * One DB transaction under the row lock of the vault's cursor: balances, breaks, the reconciliation and the cursor move
 * together. If the process dies before it commits, the same range is compared again; after it, the next one.
 */
export function storeReconciliation(database: Database, vault: VaultKey, found: NewReconciliation): Promise<Stored> {
  return inTransaction(database, async (tx): Promise<Stored> => {
    if (!(await isNext(tx, vault, found))) return { outcome: 'moved' }
    const scope = { tx, vault, uuid: uuidOfOwn('rc', found.id) }
    await moveBalances(scope, found)
    const cleared = await clearBreaks(scope, found)
    await lapseAccepted(scope, found.agreements)
    const { opened, changed, knownCount } = await storeBreaks(scope, found.differences)
    await lapseAccepted(scope, opened)
    await insert(scope, found, opened.length, knownCount)
    await moveCursor(scope, found)
    return { outcome: 'stored', opened, changed, cleared }
  })
}

/** Locks the cursor until the DB transaction ends, so that of two processes one writes and the other finds it moved. */
async function isNext(tx: DbTransaction, { chainId, vault }: VaultKey, found: NewReconciliation): Promise<boolean> {
  const [row] = await query(
    tx,
    sql<{ block_number: number; day: number | null }>`
      select block_number, day from reconciliation_cursor
      where chain_id = ${chainId} and vault = ${bytes(vault)} for update`,
  )
  if (row === undefined) return false
  return found.day === undefined
    ? BigInt(row.block_number) === found.from.number
    : row.day === null || row.day < found.day
}

async function moveBalances({ tx, vault: { chainId, vault } }: Scope, { moved }: NewReconciliation): Promise<void> {
  const set = moved.map(({ token, account, amount }) => ({ token: byteaText(token), account, amount: `${amount}` }))
  await sql`
    insert into reconciled_balance as b (chain_id, vault, token, account, balance)
    select ${chainId}::bigint, ${bytes(vault)}::bytea, token, account, amount
    from jsonb_to_recordset(${JSON.stringify(set)}::jsonb) as r(token bytea, account text, amount numeric)
    on conflict (chain_id, vault, token, account) do update set balance = b.balance + excluded.balance`.execute(tx)
}

/** A later agreement ends a break in writing: who found it, where, and what both sides said. */
async function clearBreaks(
  { tx, vault: { chainId, vault }, uuid }: Scope,
  { id, to, agreements }: NewReconciliation,
): Promise<Extract<Stored, { outcome: 'stored' }>['cleared']> {
  const set = agreements.map((each) => ({ ...each, token: tokenText(each.token) }))
  const found = await query(
    tx,
    sql<{ id: string; kind: string; subject: string; token: Buffer }>`
      update reconciliation_break b set resolution = 'cleared', resolved_by = ${id}, resolved_at = now(), seen_in = ${uuid},
        note = 'Both sides say ' || r.value || ' at block ' || ${`${to.number}`} || '.'
      from jsonb_to_recordset(${JSON.stringify(set)}::jsonb) as r(kind text, subject text, token bytea, value text)
      where b.chain_id = ${chainId} and b.vault = ${bytes(vault)} and b.kind = r.kind and b.subject = r.subject
        and b.token = r.token and b.resolved_at is null
      returning b.id, b.kind, b.subject, b.token`,
  )
  return found.flatMap((row) => {
    const token = byteaText(`0x${row.token.toString('hex')}`)
    const agreement = agreements.find(
      (each) => each.kind === row.kind && each.subject === row.subject && tokenText(each.token).toLowerCase() === token,
    )
    return agreement === undefined ? [] : [{ ...agreement, id: idOf('br', row.id) }]
  })
}

/** What was accepted explains one difference: not the next one, once both sides agreed or a new break was opened. */
async function lapseAccepted(
  { tx, vault: { chainId, vault } }: Scope,
  subjects: readonly Pick<Difference, 'kind' | 'subject' | 'token'>[],
): Promise<void> {
  if (subjects.length === 0) return
  const set = subjects.map(({ kind, subject, token }) => ({ kind, subject, token: tokenText(token) }))
  await sql`
    update reconciliation_break b set lapsed_at = now()
    from jsonb_to_recordset(${JSON.stringify(set)}::jsonb) as r(kind text, subject text, token bytea)
    where b.chain_id = ${chainId} and b.vault = ${bytes(vault)} and b.kind = r.kind and b.subject = r.subject
      and b.token = r.token and b.resolution = 'accepted' and b.lapsed_at is null`.execute(tx)
}

/** Empty: it is about no single token. */
function tokenText(token: Address | undefined): string {
  return token === undefined ? '\\x' : byteaText(token)
}

type Numbered = Difference & { readonly id: string }

/** An open break is found again, one that was accepted stays accepted while its delta stays and it has not lapsed, and all else is new. */
async function storeBreaks(
  { tx, vault: { chainId, vault }, uuid }: Scope,
  differences: readonly Difference[],
): Promise<{
  readonly opened: readonly Numbered[]
  readonly changed: readonly Numbered[]
  readonly knownCount: number
}> {
  if (differences.length === 0) return { opened: [], changed: [], knownCount: 0 }
  const numbered = differences.map((difference) => ({ ...difference, id: newId('br') }))
  const set = numbered.map((difference, at) => ({
    ...{ at, id: uuidOfOwn('br', difference.id), kind: difference.kind, subject: difference.subject },
    token: tokenText(difference.token),
    ...{ expected: difference.expected ?? null, actual: difference.actual ?? null, delta: deltaOf(difference) },
  }))
  const given = sql`
    jsonb_to_recordset(${JSON.stringify(set)}::jsonb) as r(at integer, id uuid, kind text, subject text, token bytea,
      expected text, actual text, delta text)`
  const isSame = sql`
    b.chain_id = ${chainId} and b.vault = ${bytes(vault)} and b.kind = r.kind and b.subject = r.subject and b.token = r.token`
  // Locked: an operator who resolves one at this moment waits for us, or we see it resolved.
  const open = await query(
    tx,
    sql<{ at: number; id: string; has_changed: boolean }>`
      select r.at, b.id, b.delta <> r.delta as has_changed
      from ${given} join reconciliation_break b on ${isSame} and b.resolved_at is null
      order by b.id for update of b`,
  )
  await sql`
    update reconciliation_break b set seen_in = ${uuid}, seen_at = now(), expected = r.expected, actual = r.actual, delta = r.delta
    from ${given} where b.id = any(${open.map(({ id }) => id)}::uuid[]) and ${isSame}`.execute(tx)
  const inserted = await query(
    tx,
    sql<{ id: string }>`
      insert into reconciliation_break (id, chain_id, vault, kind, subject, token, expected, actual, delta, opened_in, seen_in)
      select r.id, ${chainId}::bigint, ${bytes(vault)}::bytea, r.kind, r.subject, r.token, r.expected, r.actual, r.delta,
        ${uuid}::uuid, ${uuid}::uuid
      from ${given}
      where not (r.at = any(${open.map(({ at }) => at)}::integer[])) and not exists (
        select from reconciliation_break b where ${isSame} and b.resolution = 'accepted' and b.lapsed_at is null and b.delta = r.delta)
      returning id`,
  )
  const ids = new Set(inserted.map(({ id }) => idOf('br', id)))
  const opened = numbered.filter(({ id }) => ids.has(id))
  const changed = open.flatMap(({ at, id, has_changed }) => {
    const difference = differences[at]
    return has_changed && difference !== undefined ? [{ ...difference, id: idOf('br', id) }] : []
  })
  return { opened, changed, knownCount: differences.length - opened.length }
}

async function insert(
  { tx, vault: { chainId, vault }, uuid }: Scope,
  found: NewReconciliation,
  breakCount: number,
  knownCount: number,
): Promise<void> {
  await sql`
    insert into reconciliation (id, chain_id, vault, kind, from_block, to_block, from_at, to_at, sources, totals, settlements,
      break_count, known_count, open_count, open_seconds_max, started_at)
    select ${uuid}::uuid, ${chainId}::bigint, ${bytes(vault)}::bytea, ${found.kind}, ${found.from.number}::bigint,
      ${found.to.number}::bigint, ${found.from.at}::bigint, ${found.to.at}::bigint, ${found.sources}::text[],
      ${jsonOf(found.totals)}::jsonb, ${jsonOf(found.settlements)}::jsonb, ${breakCount}::integer, ${knownCount}::integer,
      count(*), coalesce(extract(epoch from now() - min(opened_at)), 0)::bigint,
      to_timestamp(${found.startedAtMillis / 1000}::double precision)
    from reconciliation_break where chain_id = ${chainId} and vault = ${bytes(vault)} and resolved_at is null`.execute(
    tx,
  )
}

async function moveCursor(
  { tx, vault: { chainId, vault }, uuid }: Scope,
  { day, from, to }: NewReconciliation,
): Promise<void> {
  if (day === undefined) {
    await sql`
      update reconciliation_cursor set block_number = ${to.number}, range_id = ${uuid}
      where chain_id = ${chainId} and vault = ${bytes(vault)}`.execute(tx)
    return
  }
  await sql`
    update reconciliation_cursor set day = ${day} where chain_id = ${chainId} and vault = ${bytes(vault)}`.execute(tx)
  // Nothing asks again about blocks of days that were closed before.
  await sql`
    delete from final_block where chain_id = ${chainId} and vault = ${bytes(vault)} and number < ${from.number}`.execute(
    tx,
  )
}
