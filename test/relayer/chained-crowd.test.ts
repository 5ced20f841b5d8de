import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { nextLink } from '../../core/chained.ts'
import { createWorld } from './world.ts'

const world = await createWorld({ batch: { paymentCountMax: 2 } })

type Payer = Awaited<ReturnType<typeof world.payerWith>>
async function payNext(payer: Payer) {
  const record = await world.accountOf(payer.address, 'chained')
  if (record === undefined) throw new Error('no account')
  const { sequence, previous } = nextLink(record.state, record.tail)
  return world.pay(payer, { nonce: sequence, amount: 1n }, { mode: 'chained', previous })
}

test('what waits behind a payment that was set aside holds up no other payer', async () => {
  const crowds = [await world.payerWith(100n, 'chained'), await world.payerWith(100n, 'chained')]
  const other = await world.payerWith(100n, 'chained')
  for (const payer of crowds) {
    const { id } = await payNext(payer)
    await world.context.batching.refuse([{ id, reason: 'record_refused', retryAfterMillis: 60_000 }])
    for (let count = 0; count < 3; count++) await payNext(payer)
  }
  const paid = [await payNext(other), await payNext(other)]
  await world.run('batch', 'submit')
  expect(await world.batches()).toMatchObject([{ payment_count: 2 }])
  for (const { id } of paid) expect(await world.stateOf(id)).toBe('submitted')
})

test('a payment refused once settles before those that follow it', async () => {
  const payer = await world.payerWith(100n, 'chained')
  const first = await payNext(payer)
  for (let count = 0; count < 3; count++) await payNext(payer)
  await world.context.batching.refuse([{ id: first.id, reason: 'record_refused', retryAfterMillis: 1 }])
  await sleep(50)
  await world.run('batch', 'submit')
  expect(await world.stateOf(first.id)).toBe('submitted')
})
