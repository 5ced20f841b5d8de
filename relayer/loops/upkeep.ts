import type { Notification } from '../../core/ports/notification.ts'
import type { Upkeep } from '../../core/ports/upkeep.ts'
import type { Loop } from './loop.ts'

const daysAhead = 3
const idempotencyHours = 48

/** Makes room for the days ahead, forgets old idempotency answers, and ends obligations that nobody may meet any more. */
export function upkeep({ books, notification }: { books: Upkeep; notification: Notification }): Loop {
  return {
    name: 'upkeep',
    everyMillis: 3_600_000,
    run: async () => {
      await books.ensureDays(daysAhead)
      await books.forgetAnswers(idempotencyHours)
      while ((await notification.endOverdue()) > 0);
    },
  }
}
