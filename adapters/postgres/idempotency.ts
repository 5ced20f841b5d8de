import { sql } from 'kysely'
import type { Idempotency, IdempotencyClaim } from '../../core/ports/idempotency.ts'
import { type Database, query } from './database.ts'

/** Answers are kept at least this long. */
const keepHoursMin = 24
/** Answers forgotten by one statement: a long delete would keep its rows locked. */
const forgetCountMax = 10_000
/** The first request usually ends within milliseconds; only a dead one keeps its lock for the whole time. */
const retryAfterSecondsMax = 2

type Request = Parameters<Idempotency['begin']>[0]
type Key = { readonly appId: string; readonly key: string }

export function createIdempotency(database: Database): Idempotency {
  return {
    begin: (request) => begin(database, request),
    finish: async ({ appId, key, status, body }) => {
      // Of two that worked on one key (the first was slow, not dead), the first answer stays.
      await sql`
        update idempotency set status = ${status}, body = ${body}
        where app_id = ${appId} and key = ${key} and status is null`.execute(database)
    },
    release: async ({ appId, key }) => {
      await sql`delete from idempotency where app_id = ${appId} and key = ${key} and status is null`.execute(database)
    },
    forget: (olderThanHours) => forget(database, olderThanHours),
  }
}

async function begin(database: Database, request: Request): Promise<IdempotencyClaim> {
  for (;;) {
    if (await claim(database, request)) return { outcome: 'claimed' }
    const held = await read(database, request)
    // Released or forgotten between the two statements: the key is free again.
    if (held === undefined) continue
    if (!held.request_sha256.equals(request.requestSha256)) return { outcome: 'reused' }
    if (held.status !== null) return { outcome: 'replay', status: held.status, body: held.body ?? '' }
    return {
      outcome: 'in_flight',
      retryAfterSeconds: Math.max(1, Math.min(retryAfterSecondsMax, held.locked_seconds)),
    }
  }
}

/**
 * The primary key decides who of many is first. A claim whose lock has run out without an answer is taken over, by the
 * same request only; the row lock of `on conflict` lets one taker through.
 */
async function claim(database: Database, { appId, key, requestSha256, lockSeconds }: Request): Promise<boolean> {
  const rows = await query(
    database,
    sql`
      insert into idempotency as i (app_id, key, request_sha256, locked_until)
      values (${appId}, ${key}, ${Buffer.from(requestSha256)}, now() + ${lockSeconds} * interval '1 second')
      on conflict (app_id, key) do update
      set locked_until = excluded.locked_until, created_at = now()
      where i.status is null and i.locked_until < now() and i.request_sha256 = excluded.request_sha256
      returning 1`,
  )
  return rows.length === 1
}

type Held = {
  readonly request_sha256: Buffer
  readonly status: number | null
  readonly body: string | null
  readonly locked_seconds: number
}

async function read(database: Database, { appId, key }: Key): Promise<Held | undefined> {
  const [row] = await query(
    database,
    sql<Held>`
      select request_sha256, status, body, ceil(extract(epoch from locked_until - now()))::integer as locked_seconds
      from idempotency where app_id = ${appId} and key = ${key}`,
  )
  return row
}

async function forget(database: Database, olderThanHours: number): Promise<number> {
  if (!(olderThanHours >= keepHoursMin)) {
    throw new RangeError(`answers are kept ${keepHoursMin} hours at least, not ${olderThanHours}`)
  }
  let forgotten = 0
  for (;;) {
    const { numAffectedRows = 0n } = await sql`
      delete from idempotency where (app_id, key) in (
        select app_id, key from idempotency
        where created_at < now() - ${olderThanHours} * interval '1 hour' and (status is not null or locked_until < now())
        limit ${forgetCountMax}
      )`.execute(database)
    forgotten += Number(numAffectedRows)
    if (numAffectedRows < BigInt(forgetCountMax)) return forgotten
  }
}
