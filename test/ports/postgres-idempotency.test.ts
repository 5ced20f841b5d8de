import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { createIdempotency } from '../../adapters/postgres/idempotency.ts'
import { testIdempotency } from './idempotency.suite.ts'
import { freshDatabase } from './postgres-server.ts'

const { database } = await freshDatabase()
const idempotency = createIdempotency(database)
testIdempotency('Postgres', idempotency)

test('forgets answers that are older, and nothing that is younger', async () => {
  const requestSha256 = new Uint8Array(32)
  for (const [key, hours] of [
    ['older', 24.1],
    ['younger', 23.9],
  ] as const) {
    await idempotency.begin([{ appId: 'app-f', key, requestSha256, lockSeconds: 1 }])
    await idempotency.finish([{ appId: 'app-f', key, status: 200, body: key }])
    await sql`update idempotency set created_at = now() - ${hours} * interval '1 hour' where key = ${key}`.execute(
      database,
    )
  }
  expect(await idempotency.forget(24)).toBe(1)
  const begin = (key: string) => idempotency.begin([{ appId: 'app-f', key, requestSha256, lockSeconds: 1 }])
  expect(await begin('older')).toEqual([{ outcome: 'claimed' }])
  expect(await begin('younger')).toEqual([{ outcome: 'replay', status: 200, body: 'younger' }])
})
