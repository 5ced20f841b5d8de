import { type RawBuilder, sql } from 'kysely'
import { openSecondsMax } from '../../core/webhook.ts'
import { uuidAt } from './codec.ts'

const dayMillis = 24 * 3600_000

/** Days in which an open delivery `d` can lie: whatever is older has been ended. Written as constants, no other day is opened. */
export function isRecent(): RawBuilder<boolean> {
  const nowMillis = Date.now()
  const low = uuidAt(nowMillis - openSecondsMax * 1000 - dayMillis)
  return sql<boolean>`d.id >= ${low} and d.id < ${uuidAt(nowMillis + dayMillis)}`
}
