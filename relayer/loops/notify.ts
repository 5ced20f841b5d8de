import type { Couriers } from '../couriers.ts'
import type { Loop } from './loop.ts'

/**
 * Looks for webhooks that are due. Whoever changes a payment in this process looks at once (relayer.ts); this finds what
 * other processes wrote, what waits for a further try, and what a dead process had taken.
 */
export function notify(couriers: Couriers): Loop {
  return { name: 'notify', everyMillis: 250, run: couriers.sendDue }
}
