import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { inTransaction } from '../../adapters/postgres/database.ts'
import { testAccounts } from './accounts.suite.ts'
import { chain, finalBlock, freshAddress, funded, usdc } from './payments.ts'
import { postgresBooks } from './postgres-books.ts'

const books = await postgresBooks()
testAccounts('Postgres', books)

test('an account that is introduced while finality moves is stale', async () => {
  const account = {
    ...{ chainId: chain.chainId, vault: chain.vault, payer: freshAddress(), token: usdc.address },
    mode: 'independent' as const,
  }
  const introduced = await inTransaction(books.database, async (tx) => {
    await sql`update chain_view set finalized_number = ${finalBlock + 1n} where chain_id = ${chain.chainId}`.execute(tx)
    const waiting = books.rival.accounts.introduce(account, funded(1n), finalBlock)
    await sql`select pg_sleep(0.1)`.execute(tx)
    return { waiting }
  })
  expect(await introduced.waiting).toBe('stale')
  expect(await books.accounts.find(account)).toBeUndefined()
  await books.observe({})
})
