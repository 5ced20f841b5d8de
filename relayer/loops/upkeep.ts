import type { Upkeep } from '../../core/ports/upkeep.ts'
import type { Loop } from './loop.ts'

const daysAhead = 3
const idempotencyHours = 48

/** Makes room for the days ahead and forgets old idempotency answers. */
export function upkeep(books: Upkeep): Loop {
  return {
    name: 'upkeep',
    everyMillis: 3_600_000,
    run: async () => {
      await books.ensureDays(daysAhead)
      await books.forgetAnswers(idempotencyHours)
    },
  }
}
