import { type RawBuilder, sql } from 'kysely'
import { deadlineAheadSecondsMax } from '../../core/config.ts'
import { uuidAt } from './codec.ts'

/** By how much the clocks that make ids may disagree, generously: it costs two more days to open. */
const clockSkewMillisMax = 24 * 3600_000
/** A payment waits until its deadline at most. */
const waitMillisMax = deadlineAheadSecondsMax * 1_000 + clockSkewMillisMax

/** Ids of all payments that may wait. As constants, so that Postgres plans, locks and reads these days and no other. */
export function isRecent(id: 'i.id' | 'p.id' | 'b.id' | 'c.intent_id'): RawBuilder<unknown> {
  return sql`
    ${sql.ref(id)} >= ${uuidAt(Date.now() - waitMillisMax)} and ${sql.ref(id)} < ${uuidAt(Date.now() + clockSkewMillisMax)}`
}
