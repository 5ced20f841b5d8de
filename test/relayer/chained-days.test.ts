import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { createBatching } from '../../adapters/postgres/batching.ts'
import { endOrphans } from '../../adapters/postgres/chained-orphans.ts'
import { type DbTransaction, inTransaction } from '../../adapters/postgres/database.ts'
import { makeOlderDays } from '../ports/postgres-days.ts'
import { createWorld } from './world.ts'

const world = await createWorld()
await makeOlderDays(world.database, 60)
const { chainId, vault } = world.config
const token = world.token.address
const block = { number: 1n, hash: `0x${'00'.repeat(32)}`, at: 1n } as const

/** Days of each table that Postgres opened for `work`. */
async function daysLocked(work: (tx: DbTransaction) => Promise<unknown>): Promise<readonly number[]> {
  return inTransaction(world.database, async (tx) => {
    await work(tx)
    const { rows } = await sql<{ days: number }>`
      select count(distinct c.relname)::integer as days from pg_locks l join pg_class c on c.oid = l.relation
      where l.pid = pg_backend_pid() and c.relkind = 'r' and c.relname ~ '_[0-9]{8}$'
      group by regexp_replace(c.relname, '_[0-9]{8}$', '')`.execute(tx)
    return rows.map(({ days }) => days)
  })
}

test.each([
  [
    'looking for chained payments',
    (tx: DbTransaction) => createBatching(tx).payments(chainId, vault, { token, mode: 'chained' }, 100),
  ],
  [
    'ending what follows a dead payment',
    (tx: DbTransaction) => endOrphans({ tx, chainId, vault, block }, [{ payer: vault, token, mode: 'chained' }]),
  ],
] as const)('%s opens no days but those of payments that may wait', async (_name, work) => {
  const days = await daysLocked(work)
  expect(days.length).toBeGreaterThan(0)
  for (const count of days) expect(count).toBeLessThanOrEqual(4)
})
