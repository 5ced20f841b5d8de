import { sql } from 'kysely'
import type {
  Idempotency,
  IdempotencyClaim,
  IdempotencyKey,
  IdempotentAnswer,
  IdempotentRequest,
} from '../../core/ports/idempotency.ts'
import { byteaText, hexOf } from './codec.ts'
import { retryContention } from './contention.ts'
import { type Database, query } from './database.ts'

/** Answers are kept at least this long. */
const keepHoursMin = 24
/** Answers forgotten by one statement: a long delete would keep its rows locked. */
const forgetCountMax = 10_000
/** The first request usually ends within milliseconds; only a dead one keeps its lock for the whole time. */
const retryAfterSecondsMax = 2

export function createIdempotency(database: Database): Idempotency {
  return {
    begin: (requests) => begin(database, requests),
    // Two that worked on the same keys may wait for each other.
    finish: (answers) => retryContention(() => finish(database, answers)),
    release: async ({ appId, key }) => {
      await sql`delete from idempotency where app_id = ${appId} and key = ${key} and status is null`.execute(database)
    },
    forget: (olderThanHours) => forget(database, olderThanHours),
  }
}

async function begin(database: Database, requests: readonly IdempotentRequest[]): Promise<readonly IdempotencyClaim[]> {
  const decided = new Map<IdempotentRequest, IdempotencyClaim>()
  // Released or forgotten between the two statements: such a key is free again.
  for (let open = requests; open.length > 0; open = open.filter((request) => !decided.has(request))) {
    const firsts = [...new Map(open.toReversed().map((request) => [nameOf(request), request])).values()]
    const claimed = await retryContention(() => claim(database, firsts))
    for (const request of firsts) if (claimed.has(nameOf(request))) decided.set(request, { outcome: 'claimed' })
    const rest = open.filter((request) => !decided.has(request))
    const held = await read(database, rest)
    for (const request of rest) {
      const found = held.get(nameOf(request))
      if (found !== undefined) decided.set(request, judge(request, found))
    }
  }
  return requests.map((request) => decided.get(request) ?? impossible())
}

function judge({ requestSha256 }: IdempotentRequest, held: Held): IdempotencyClaim {
  if (!held.request_sha256.equals(requestSha256)) return { outcome: 'reused' }
  if (held.status !== null) return { outcome: 'replay', status: held.status, body: held.body ?? '' }
  return { outcome: 'in_flight', retryAfterSeconds: Math.max(1, Math.min(retryAfterSecondsMax, held.locked_seconds)) }
}

/**
 * The primary key decides who of many is first. A claim whose lock has run out without an answer is taken over, by the
 * same request only; the row lock of `on conflict` lets one taker through. In the order of keys, so that sets do not wait
 * for each other in a circle.
 */
async function claim(database: Database, requests: readonly IdempotentRequest[]): Promise<ReadonlySet<string>> {
  const set = requests.map(({ appId, key, requestSha256, lockSeconds }) => ({
    app: appId,
    key,
    sha256: byteaText(hexOf(requestSha256)),
    seconds: lockSeconds,
  }))
  const rows = await query(
    database,
    sql<KeyRow>`
      insert into idempotency as i (app_id, key, request_sha256, locked_until)
      select app, key, sha256, now() + seconds * interval '1 second'
      from jsonb_to_recordset(${JSON.stringify(set)}::jsonb) as r(app text, key text, sha256 bytea, seconds integer)
      order by app, key
      on conflict (app_id, key) do update
      set locked_until = excluded.locked_until, created_at = now()
      where i.status is null and i.locked_until < now() and i.request_sha256 = excluded.request_sha256
      returning app_id, key`,
  )
  return new Set(rows.map(({ app_id, key }) => nameOf({ appId: app_id, key })))
}

type KeyRow = { readonly app_id: string; readonly key: string }
type Held = KeyRow & {
  readonly request_sha256: Buffer
  readonly status: number | null
  readonly body: string | null
  readonly locked_seconds: number
}

async function read(database: Database, keys: readonly IdempotencyKey[]): Promise<ReadonlyMap<string, Held>> {
  if (keys.length === 0) return new Map()
  const set = keys.map(({ appId, key }) => ({ app: appId, key }))
  const rows = await query(
    database,
    sql<Held>`
      select app_id, key, request_sha256, status, body, ceil(extract(epoch from locked_until - now()))::integer as locked_seconds
      from idempotency where (app_id, key) in (
        select app, key from jsonb_to_recordset(${JSON.stringify(set)}::jsonb) as r(app text, key text))`,
  )
  return new Map(rows.map((row) => [nameOf({ appId: row.app_id, key: row.key }), row]))
}

/** Of two that worked on one key (the first was slow, not dead), the first answer stays. */
async function finish(database: Database, answers: readonly IdempotentAnswer[]): Promise<void> {
  const set = answers.map(({ appId, key, status, body }) => ({ app: appId, key, status, body }))
  await sql`
    update idempotency i set status = r.status, body = r.body
    from jsonb_to_recordset(${JSON.stringify(set)}::jsonb) as r(app text, key text, status integer, body text)
    where i.app_id = r.app and i.key = r.key and i.status is null`.execute(database)
}

/** Neither part holds a line feed. */
const nameOf = ({ appId, key }: IdempotencyKey): string => `${appId}\n${key}`

function impossible(): never {
  throw new RangeError('a request was begun without a decision')
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
