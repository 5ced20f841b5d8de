import { sql } from 'kysely'
import { createAccounts } from '../../adapters/postgres/accounts.ts'
import { createBatches } from '../../adapters/postgres/batches.ts'
import { createBatching } from '../../adapters/postgres/batching.ts'
import { bytes, newId, uuidOfOwn } from '../../adapters/postgres/codec.ts'
import type { Database } from '../../adapters/postgres/database.ts'
import { createIntake } from '../../adapters/postgres/intake.ts'
import { createIntents } from '../../adapters/postgres/intents.ts'
import { createOrders } from '../../adapters/postgres/orders.ts'
import type { Acknowledger } from '../../core/ports/intake.ts'
import { zeroHash } from '../../core/protocol/typed-data.ts'
import type { Books, Seen } from './books.ts'
import { chain, finalBlock, freshAddress, localAcknowledger, nowSeconds } from './payments.ts'
import { freshDatabase } from './postgres-server.ts'

/** Books in a fresh database; its chain has been seen just now. */
export async function postgresBooks(): Promise<
  Books & { readonly database: Database; readonly acknowledger: Acknowledger }
> {
  const { database, connect } = await freshDatabase()
  const acknowledger = await localAcknowledger()
  const portsOn = (connection: Database) => ({
    accounts: createAccounts(connection),
    orders: createOrders(connection),
    intake: createIntake({ database: connection, acknowledger, newId }),
    intents: createIntents({ database: connection, acknowledger, newId }),
    batches: createBatches(connection),
  })
  const books = {
    ...portsOn(database),
    database,
    acknowledger,
    rival: portsOn(connect()),
    observe: (seen: Seen) => observe(database, seen),
    batch: async (payments: Parameters<Books['batch']>[0]) => {
      const id = newId('sb')
      const [first] = payments
      const outcome = await createBatching(database).create({
        id,
        chainId: chain.chainId,
        vault: chain.vault,
        token: first?.payment.token ?? freshAddress(),
        mode: first?.taking.mode ?? 'independent',
        anchor: zeroHash,
        opening: { sequence: 0n, head: zeroHash },
        payload: '0x01',
        gasLimit: 1_000_000n,
        payments: payments.map(({ id }, bit) => ({ id, bit })),
        cancelIds: [],
      })
      return { id, outcome }
    },
    include: (batchId: string, results: `0x${string}`) => include(database, batchId, results),
  }
  await books.observe({})
  return books
}

async function observe(
  database: Database,
  { on = chain, headAt = nowSeconds(), observedAt = nowSeconds(), isPaused = false, finalized = finalBlock }: Seen,
): Promise<void> {
  await sql`
    insert into chain_view (chain_id, vault, head_number, head_hash, head_at, finalized_number, finalized_hash, finalized_at, is_paused, observed_at)
    values (${on.chainId}, ${bytes(on.vault)}, ${finalized + 2n}, ${bytes(zeroHash)}, ${headAt}, ${finalized}, ${bytes(zeroHash)}, ${headAt},
      ${isPaused}, to_timestamp(${observedAt}))
    on conflict (chain_id, vault) do update set head_at = excluded.head_at, observed_at = excluded.observed_at,
      is_paused = excluded.is_paused, finalized_number = excluded.finalized_number`.execute(database)
}

async function include(database: Database, batchId: string, results: `0x${string}`): Promise<void> {
  const id = uuidOfOwn('sb', batchId)
  await sql`
    insert into attempt (id, batch_id, chain_id, signer, account_nonce, max_fee_per_gas_wei, max_priority_fee_per_gas_wei, state, tx_hash, raw_tx, sent_at)
    values (${uuidOfOwn('at', newId('at'))}, ${id}, ${chain.chainId}, ${bytes(freshAddress())}, 5, 30000000000, 1, 'sent',
      ${bytes(`0x${'ab'.repeat(32)}`)}, ${bytes('0x02')}, now())`.execute(database)
  await sql`
    update batch set state = 'included', block_number = 103, block_hash = ${bytes(`0x${'cd'.repeat(32)}`)},
      tx_hash = ${bytes(`0x${'ab'.repeat(32)}`)}, gas_used = 90000, results = ${bytes(results)}, included_at = now()
    where id = ${id}`.execute(database)
}
