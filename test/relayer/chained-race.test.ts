import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import type { PrivateKeyAccount } from 'viem'
import { expect, test } from 'vitest'
import { inTransaction } from '../../adapters/postgres/database.ts'
import { lockBooks } from '../../adapters/postgres/intake-books.ts'
import { storeTaken } from '../../adapters/postgres/intake-writes.ts'
import { nextLink } from '../../core/chained.ts'
import { createWorld } from './world.ts'

const world = await createWorld()
const seconds = () => Math.floor(world.clock.nowMillis() / 1000)

async function nextOf(payer: PrivateKeyAccount) {
  const record = await world.accountOf(payer.address, 'chained')
  if (record === undefined) throw new Error('no account')
  const { sequence, previous } = nextLink(record.state, record.tail)
  return [
    { nonce: sequence, amount: 1n },
    { mode: 'chained', previous },
  ] as const
}

async function untilOneWaitsForALock(): Promise<void> {
  for (;;) {
    const { rows } = await sql<{ pid: number }>`
      select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`.execute(
      world.database,
    )
    if (rows.length > 0) return
    await sleep(10)
  }
}

test('what is accepted on top of a payment at the moment of its death fails with it', async () => {
  const payer = await world.payerWith(100n, 'chained')
  const [terms, taking] = await nextOf(payer)
  const short = await world.pay(payer, { ...terms, deadline: BigInt(seconds() + 100) }, taking)
  const follower = await world.candidateOf(payer, ...(await nextOf(payer)))
  await world.client.increaseTime({ seconds: 101 })

  const ending = await inTransaction(world.database, async (tx) => {
    await lockBooks(tx, [follower], seconds())
    const ended = world.settleDown()
    await untilOneWaitsForALock()
    const books = { orderId: undefined, orderAppId: undefined, outcome: 'held', reason: 'as accept decided' } as const
    await storeTaken(tx, [{ candidate: follower, ...books }])
    return { ended }
  })
  await ending.ended
  expect(await world.stateOf(short.id)).toBe('expired')
  expect(await world.stateOf(follower.id)).toBe('failed')
  expect(await world.accountOf(payer.address, 'chained')).toMatchObject({ reserved: 0n, openNonces: [] })
})
