import { createSecrets } from '../../adapters/crypto/secrets.ts'
import { createWebhookKeys } from '../../adapters/crypto/webhook-keys.ts'
import { createPost } from '../../adapters/http/post.ts'
import { connectDatabase } from '../../adapters/postgres/database.ts'
import { createNotification } from '../../adapters/postgres/notification.ts'
import { startCouriers } from '../../relayer/couriers.ts'

// One round of couriers in a process of its own, for a test that kills it. Arguments: database URL, lease in milliseconds.
const [, , url = '', leaseMillis = ''] = process.argv
const silent = (): void => undefined
const couriers = startCouriers({
  notification: createNotification(connectDatabase({ url, onIdleError: silent })),
  post: createPost({ allowsLoopback: true }),
  keys: createWebhookKeys(createSecrets([`0x${'5e'.repeat(32)}`])),
  clock: { nowMillis: () => Date.now() },
  chance: Math.random,
  log: { debug: silent, info: silent, warn: silent, error: silent },
  limits: { leaseMillis: Number(leaseMillis) },
})
await couriers.sendDue()
