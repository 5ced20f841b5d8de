import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { Hex } from 'viem'
import { describe, expect, test } from 'vitest'
import { bytes, newId, uuidAt, uuidOfOwn } from '../../adapters/postgres/codec.ts'
import { createReconciliation } from '../../adapters/postgres/reconciliation.ts'
import { zeroHash } from '../../core/protocol/typed-data.ts'
import { chain } from './payments.ts'
import { makeOlderDays } from './postgres-days.ts'
import { freshDatabase } from './postgres-server.ts'
import { addEvent, endpointOf, eventsOf, webhooksOn } from './webhooks.ts'

const { database } = await freshDatabase()
// Days in which the oldest of these deliveries lie, at whatever hour this runs.
await makeOlderDays(database, 6)
const port = createReconciliation(database)
const key = { chainId: chain.chainId, vault: chain.vault }
const states = ['accepted', 'batched', 'finalized']
const none = { owed: [], made: [] }

/** An app with an endpoint that is older than every doubt. */
async function told(terms: { states?: readonly ('accepted' | 'finalized')[] } = {}) {
  const appId = `app_${randomUUID()}`
  const endpoint = await endpointOf(database, { appId, ...terms })
  await agedBy(endpoint.id, 3600)
  return { appId, endpoint }
}
const agedBy = (id: string, seconds: number) =>
  sql`
    update webhook_endpoint set created_at = created_at - ${seconds} * interval '1 second',
      states_since = states_since - ${seconds} * interval '1 second'
    where id = ${uuidOfOwn('we', id)}`.execute(database)
const deliveriesOf = (id: string) => sql`from webhook_delivery where intent_id = ${uuidOfOwn('pi', id)}`

describe('deliveries', () => {
  test('agree when each event was told to each endpoint, replays and tests aside', async () => {
    const { appId, endpoint } = await told()
    await endpointOf(database, { appId }).then(({ id }) => agedBy(id, 3600))
    const payment = await eventsOf(database, { appId, states })
    await webhooksOn(database).deliveries.test(appId, endpoint.id)
    const { rows } = await sql<{ id: string }>`select id ${deliveriesOf(payment.id)}`.execute(database)
    expect(rows).toHaveLength(6)
    await sql`update webhook_delivery set state = 'dead' where id = ${rows[0]?.id}`.execute(database)
    await webhooksOn(database).deliveries.replay(
      appId,
      (
        await webhooksOn(database).deliveries.list({
          ...{ appId, endpointId: undefined, intentId: payment.id, state: 'dead', before: undefined, countMax: 1 },
        })
      )[0]?.id ?? '',
    )
    expect(await port.deliveries([payment.id])).toEqual(none)
  })

  test('that are gone are owed, each by payment, sequence and endpoint', async () => {
    const { appId, endpoint } = await told()
    const payment = await eventsOf(database, { appId, states })
    await sql`delete ${deliveriesOf(payment.id)} and sequence = 2`.execute(database)
    expect(await port.deliveries([payment.id])).toEqual({
      owed: [{ intentId: payment.id, sequence: 2, endpointId: endpoint.id }],
      made: [],
    })
  })

  test('without an event, or to an app that it does not concern, have no reason', async () => {
    const { appId, endpoint } = await told()
    const stranger = await told()
    const payment = await eventsOf(database, { appId, states })
    const plant = (to: string, sequence: number) => {
      const id = uuidOfOwn('wd', newId('wd'))
      return sql`
        insert into webhook_delivery (id, message_id, endpoint_id, app_id, intent_id, sequence, type)
        values (${id}, ${id}, ${uuidOfOwn('we', to)}, 'x', ${uuidOfOwn('pi', payment.id)}, ${sequence}, 'payment.x')`.execute(
        database,
      )
    }
    await plant(endpoint.id, 9)
    await plant(stranger.endpoint.id, 1)
    const { owed, made } = await port.deliveries([payment.id])
    expect(owed).toEqual([])
    expect(made.toSorted((a, b) => a.sequence - b.sequence)).toEqual([
      { intentId: payment.id, sequence: 1, endpointId: stranger.endpoint.id },
      { intentId: payment.id, sequence: 9, endpointId: endpoint.id },
    ])
  })

  test('are owed for the states that an endpoint asked for, since it asked', async () => {
    const { appId, endpoint } = await told({ states: ['finalized'] })
    const payment = await eventsOf(database, { appId, states })
    expect(await port.deliveries([payment.id])).toEqual(none)
    await webhooksOn(database).endpoints.change(appId, endpoint.id, { ...endpoint, states: undefined })
    expect(await port.deliveries([payment.id])).toEqual(none)
    await sql`delete ${deliveriesOf(payment.id)}`.execute(database)
    expect(await port.deliveries([payment.id])).toEqual(none)
    await agedBy(endpoint.id, 3600)
    expect((await port.deliveries([payment.id])).owed.map(({ sequence }) => sequence).toSorted()).toEqual([1, 2, 3])
  })

  test('to an endpoint that was made a minute before the event are in doubt, a second longer and they are owed', async () => {
    const appId = `app_${randomUUID()}`
    const endpoint = await endpointOf(database, { appId })
    const payment = await eventsOf(database, { appId, states: ['accepted'] })
    await sql`delete ${deliveriesOf(payment.id)}`.execute(database)
    await agedBy(endpoint.id, 59)
    expect(await port.deliveries([payment.id])).toEqual(none)
    await agedBy(endpoint.id, 2)
    expect((await port.deliveries([payment.id])).owed).toHaveLength(1)
  })

  test('of no payments are no question', async () => {
    expect(await port.deliveries([])).toEqual(none)
  })
})

describe('overdue', () => {
  /** A delivery that was made so many hours ago. */
  async function oldDelivery(hours: number, state: 'open' | 'dead') {
    const { appId, endpoint } = await told()
    const payment = await eventsOf(database, { appId, states: ['accepted'] })
    const id = uuidAt(Date.now() - hours * 3600_000 + 1)
    await sql`
      update webhook_delivery set id = ${id}, message_id = ${id}, state = ${state},
        created_at = now() - ${hours} * interval '1 hour'
      where intent_id = ${uuidOfOwn('pi', payment.id)}`.execute(database)
    return { appId, endpoint, payment, id }
  }

  test('an endpoint with a dead letter of 97 hours is, one of 95 is not; delivered by a replay it is fulfilled', async () => {
    const { appId, endpoint, payment, id } = await oldDelivery(97, 'dead')
    await oldDelivery(95, 'open')
    expect(await port.overdue(key, 96, 100)).toEqual([{ what: 'endpoint', id: endpoint.id, count: 1, isMore: false }])
    expect(await port.overdue({ ...key, chainId: 99 }, 96, 100)).toEqual([])
    await sql`
      insert into webhook_delivery (id, message_id, endpoint_id, app_id, intent_id, sequence, type, state, delivered_at)
      values (${uuidOfOwn('wd', newId('wd'))}, ${id}, ${uuidOfOwn('we', endpoint.id)}, ${appId},
        ${uuidOfOwn('pi', payment.id)}, 1, 'payment.accepted', 'delivered', now())`.execute(database)
    expect(await port.overdue(key, 96, 100)).toEqual([])
  })

  test('a dead endpoint is one, counted up to a hundred, and hides no copy', async () => {
    const { appId, endpoint, payment } = await oldDelivery(97, 'dead')
    let last = Date.now() - 98 * 3600_000
    const pileUp = (count: number) =>
      sql`
      insert into webhook_delivery (id, message_id, endpoint_id, app_id, intent_id, sequence, type, state, created_at)
      select id, id, ${uuidOfOwn('we', endpoint.id)}, ${appId}, ${uuidOfOwn('pi', payment.id)}, 1, 'payment.accepted',
        'dead', now() - interval '97 hours'
      from unnest(${Array.from({ length: count }, () => uuidAt(--last))}::uuid[]) as id`.execute(database)
    const dead = { what: 'endpoint', id: endpoint.id }
    await pileUp(99)
    expect(await port.overdue(key, 96, 1)).toEqual([{ ...dead, count: 100, isMore: false }])
    await pileUp(1)
    expect(await port.overdue(key, 96, 1)).toEqual([{ ...dead, count: 100, isMore: true }])
    const record = newId('ar')
    await sql`
      insert into archive_copy (record_id, store, chain_id, vault, sequence, created_at)
      values (${uuidOfOwn('ar', record)}, 'arweave', ${key.chainId}, ${bytes(key.vault)}, 1, now() - interval '97 hours')`.execute(
      database,
    )
    expect(await port.overdue(key, 96, 1)).toEqual([
      { what: 'copy', id: `${record}/arweave`, state: 'waiting' },
      { ...dead, count: 100, isMore: true },
    ])
    await sql`delete from webhook_delivery where endpoint_id = ${uuidOfOwn('we', endpoint.id)}`.execute(database)
    await sql`delete from archive_copy`.execute(database)
  })

  test('a copy that no store gave back within the time is, by record and store', async () => {
    const record = newId('ar')
    const plant = (store: string, state: string, hours: number) =>
      sql`
        insert into archive_copy (record_id, store, chain_id, vault, sequence, state, item_id, archived_at, created_at)
        values (${uuidOfOwn('ar', record)}, ${store}, ${key.chainId}, ${bytes(key.vault)}, 1, ${state},
          ${state === 'waiting' ? null : 'x'}, ${state === 'archived' ? new Date() : null}, now() - ${hours} * interval '1 hour')`.execute(
        database,
      )
    await plant('ipfs', 'archived', 200)
    await plant('arweave', 'posted', 97)
    expect(await port.overdue(key, 96, 100)).toEqual([{ what: 'copy', id: `${record}/arweave`, state: 'posted' }])
    expect(await port.overdue(key, 98, 100)).toEqual([])
  })
})

describe('audit records', () => {
  /** Blocks above one number, up to the next. */
  const blocksTo = (number: bigint) => {
    const at = { hash: zeroHash, at: BigInt(Math.floor(Date.now() / 1000)), recordedAtMillis: Date.now() }
    return { from: { ...at, number: number - 1n }, to: { ...at, number } }
  }
  const before = blocksTo(5n)
  async function plant(
    payments: readonly { amount: string; result: boolean }[] | undefined,
    blockNumber = 7,
  ): Promise<Hex> {
    const id = uuidOfOwn('ar', newId('ar'))
    const hash: Hex = `0x${randomUUID().replaceAll('-', '').padEnd(64, '0')}`
    const content = payments === undefined ? null : Buffer.from(JSON.stringify({ payments }))
    await sql`
      insert into audit_record (id, chain_id, vault, sequence, tx_hash, block_number, block_hash, app_sequences, bytes, sha256, cid, built_at)
      values (${id}, ${key.chainId}, ${bytes(key.vault)}, 1, ${bytes(hash)}, ${blockNumber}, ${bytes(hash)}, '{}', ${content},
        ${content && bytes(hash)}, ${content && 'bafy'}, ${content && new Date()})`.execute(database)
    await sql`
      insert into audit_tx (chain_id, vault, tx_hash, record_id)
      values (${key.chainId}, ${bytes(key.vault)}, ${bytes(hash)}, ${id})`.execute(database)
    return hash
  }

  test('say how many payments they paid and how much in all, to the last digit', async () => {
    const most = `${2n ** 256n - 1n}`
    const hash = await plant([
      { amount: most, result: true },
      { amount: '5', result: false },
      { amount: '1', result: true },
    ])
    expect(await port.auditRecords(key, before, [hash])).toEqual([{ txHash: hash, count: 2, amount: 2n ** 256n }])
  })

  test('of blocks whose settlements are not known of are told, from the first block of the range to its last', async () => {
    const paid = [{ amount: '5', result: true }]
    const [low, first, last, high] = [
      await plant(paid, 20),
      await plant(paid, 21),
      await plant(paid, 30),
      await plant(paid, 31),
    ]
    const range = { from: blocksTo(20n).to, to: blocksTo(30n).to }
    const txsOf = async (asked: readonly Hex[]) =>
      (await port.auditRecords(key, range, asked)).map(({ txHash }) => txHash)
    expect((await txsOf([])).toSorted()).toEqual([first, last].toSorted())
    expect((await txsOf([first])).toSorted()).toEqual([first, last].toSorted())
    expect((await txsOf([low, high])).toSorted()).toEqual([low, first, last, high].toSorted())
    expect(await port.auditRecords({ ...key, chainId: 99 }, range, [])).toEqual([])
  })

  test('that are not built, or are not there, say nothing', async () => {
    const open = await plant(undefined)
    expect(await port.auditRecords(key, before, [open, `0x${'ab'.repeat(32)}`])).toEqual([])
    expect(await port.auditRecords({ ...key, chainId: 99 }, before, [open])).toEqual([])
  })
})

test('an event that is told later is compared with the endpoints that its app had then', async () => {
  const { appId, endpoint } = await told()
  const payment = await eventsOf(database, { appId, states })
  await sql`update webhook_endpoint set deleted_at = now() - interval '2 minutes' where id = ${uuidOfOwn('we', endpoint.id)}`.execute(
    database,
  )
  await addEvent(database, payment, 4, 'included')
  expect(await port.deliveries([payment.id])).toEqual(none)
})
