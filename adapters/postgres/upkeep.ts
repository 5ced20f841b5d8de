import { sql } from 'kysely'
import type { Idempotency } from '../../core/ports/idempotency.ts'
import type { Upkeep } from '../../core/ports/upkeep.ts'
import type { Database } from './database.ts'

export function createUpkeep(database: Database, idempotency: Idempotency): Upkeep {
  return {
    ensureDays: async (daysAhead) => {
      await sql`select ensure_day_partitions(${daysAhead})`.execute(database)
    },
    forgetAnswers: idempotency.forget,
  }
}
