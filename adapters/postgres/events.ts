import { type RawBuilder, sql } from 'kysely'
import type { IntentState } from '../../core/intent.ts'
import type { EventPosition, Events, IntentEvent } from '../../core/ports/events.ts'
import { hexOf, idOf, uuidAt, uuidOf, uuidOfOwn } from './codec.ts'
import { type Database, query } from './database.ts'

/**
 * A payment lives hours, and longer only while its chain or its relayer stands still. What follows events opens the days
 * of this span, and no longer hears of payments that are older.
 */
const lifeMillisMax = 14 * 24 * 3600_000

export function createEvents(database: Database): Events {
  return {
    of: (intentId, range) => of(database, intentId, range),
    now: () => now(database),
    after: (position, countMax) => after(database, position, countMax),
    ofApp: (appId, range) => ofApp(database, appId, range),
  }
}

type Row = {
  readonly intent_id: string
  readonly sequence: number
  readonly app_id: string
  readonly payee_app_id: string | null
  readonly chain_id: number
  readonly state: IntentState
  readonly reason: string | null
  readonly batch_id: string | null
  readonly tx_hash: Buffer | null
  readonly block_number: number | null
  readonly at: Date
  readonly xid: string
}

const columns = sql`
  intent_id, sequence, app_id, payee_app_id, chain_id, state, reason, batch_id, tx_hash, block_number, at, xid::text`

async function of(
  database: Database,
  intentId: string,
  { afterSequence, countMax }: { afterSequence: number; countMax: number },
): Promise<readonly IntentEvent[]> {
  const uuid = uuidOf('pi', intentId)
  if (uuid === undefined) return []
  const rows = await query(
    database,
    sql<Row>`
      select ${columns} from intent_event where intent_id = ${uuid} and sequence > ${afterSequence}
      order by sequence limit ${countMax}`,
  )
  return rows.map(eventOf)
}

async function now(database: Database): Promise<EventPosition> {
  const [row] = await query(database, sql<{ xid: string }>`select pg_snapshot_xmin(pg_current_snapshot())::text as xid`)
  if (row === undefined) throw new RangeError('a select without a table returned no row')
  return { xid: BigInt(row.xid), intentId: idOf('pi', uuidAt(0)), sequence: 0 }
}

/** Below every DB transaction that is still open: ids and times are not in the order of commits, this is. */
const isOver = sql`xid < pg_snapshot_xmin(pg_current_snapshot())`
const isAlive = () => sql`intent_id >= ${uuidAt(Date.now() - lifeMillisMax)}`
const place = ({ xid, intentId, sequence }: EventPosition) =>
  sql`(${`${xid}`}::xid8, ${uuidOfOwn('pi', intentId)}::uuid, ${sequence}::integer)`

async function after(database: Database, position: EventPosition, countMax: number): Promise<readonly IntentEvent[]> {
  const rows = await query(
    database,
    sql<Row>`
      select ${columns} from intent_event
      where ${isAlive()} and ${isOver} and (xid, intent_id, sequence) > ${place(position)}
      order by intent_event.xid, intent_id, sequence limit ${countMax}`,
  )
  return rows.map(eventOf)
}

/** One walk through each of the two indexes. */
async function ofApp(
  database: Database,
  appId: string,
  { after, until, countMax }: { after: EventPosition; until: EventPosition; countMax: number },
): Promise<readonly IntentEvent[]> {
  const walk = (condition: RawBuilder<unknown>) => sql`(
    select intent_event.* from intent_event
    where ${condition} and ${isAlive()} and ${isOver}
      and (xid, intent_id, sequence) > ${place(after)} and (xid, intent_id, sequence) <= ${place(until)}
    order by xid, intent_id, sequence limit ${countMax})`
  const rows = await query(
    database,
    sql<Row>`
      select ${columns} from (
        ${walk(sql`app_id = ${appId}`)}
        union all ${walk(sql`payee_app_id = ${appId} and app_id <> ${appId}`)}
      ) as e
      order by e.xid, intent_id, sequence limit ${countMax}`,
  )
  return rows.map(eventOf)
}

function eventOf(row: Row): IntentEvent {
  return {
    intentId: idOf('pi', row.intent_id),
    sequence: row.sequence,
    xid: BigInt(row.xid),
    appId: row.app_id,
    payeeAppId: row.payee_app_id ?? undefined,
    chainId: row.chain_id,
    state: row.state,
    reason: row.reason ?? undefined,
    batchId: row.batch_id === null ? undefined : idOf('sb', row.batch_id),
    txHash: row.tx_hash === null ? undefined : hexOf(row.tx_hash),
    blockNumber: row.block_number === null ? undefined : BigInt(row.block_number),
    atMillis: row.at.getTime(),
  }
}
