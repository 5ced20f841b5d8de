import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { toHex } from 'viem'
import { expect, test } from 'vitest'
import { createArchive } from '../../adapters/postgres/archive.ts'
import { createAudit } from '../../adapters/postgres/audit.ts'
import { openAuditRecords } from '../../adapters/postgres/audit-obligations.ts'
import { createAuditRecords } from '../../adapters/postgres/audit-records.ts'
import { loadSpan } from '../../adapters/postgres/batch-span.ts'
import { createBatches } from '../../adapters/postgres/batches.ts'
import { createBatching } from '../../adapters/postgres/batching.ts'
import { newId, uuidOfOwn } from '../../adapters/postgres/codec.ts'
import { type Database, type DbTransaction, inTransaction } from '../../adapters/postgres/database.ts'
import { createEvents } from '../../adapters/postgres/events.ts'
import { lockIntent } from '../../adapters/postgres/intent-row.ts'
import { createIntents } from '../../adapters/postgres/intents.ts'
import { createOrders } from '../../adapters/postgres/orders.ts'
import { createReconciliation } from '../../adapters/postgres/reconciliation.ts'
import { zeroHash } from '../../core/protocol/typed-data.ts'
import { admitOne, payerWith } from './books.ts'
import { candidate, chain, holdAbove, nowSeconds, order, usdc } from './payments.ts'
import { postgresBooks } from './postgres-books.ts'
import { makeOlderDays } from './postgres-days.ts'
import { endpointOf, eventsOf, given, roomy, tried, webhooksOn } from './webhooks.ts'

// A join or a set that Postgres cannot prune opens and locks every day there has ever been: then a hundred reads at once
// run out of shared memory. Two months are enough to see it.
const books = await postgresBooks()
const { database, acknowledger, batch, include } = books
await makeOlderDays(database, 60)

/**
 * Day partitions, without their indexes, that `work` locked. It runs inside one DB transaction, so that its locks are
 * still there to be counted; a transaction of its own becomes part of it.
 */
async function daysLocked(work: (database: Database) => Promise<unknown>): Promise<number> {
  return inTransaction(database, async (tx) => {
    await work(within(tx))
    const { rows } = await sql<{ days: number }>`
      select count(distinct c.relname) as days from pg_locks l join pg_class c on c.oid = l.relation
      where l.pid = pg_backend_pid() and c.relkind = 'r' and c.relname ~ '_[0-9]{8}$'`.execute(tx)
    return rows[0]?.days ?? Number.NaN
  })
}

function within(tx: DbTransaction): Database {
  return new Proxy(tx as Database, {
    get: (target, name) => {
      if (name === 'transaction') {
        const started = {
          execute: (work: (inner: DbTransaction) => Promise<unknown>) => work(tx),
          setIsolationLevel: () => started,
        }
        return () => started
      }
      const member = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

const accepted = async () => {
  const wanted = order()
  await books.orders.create(wanted)
  const payment = candidate({
    payer: await payerWith(books, 1_000n),
    payee: wanted.payee,
    orderRef: wanted.orderRef,
  })
  expect(await admitOne(books, payment)).toMatchObject({ outcome: 'accepted' })
  return payment
}
const held = async () => {
  const payment = candidate({ payer: await payerWith(books, 2n * holdAbove), amount: holdAbove + 1n })
  expect(await admitOne(books, payment)).toMatchObject({ outcome: 'held' })
  return payment
}
const settled = async () => {
  const payment = await accepted()
  const { id } = await batch([payment])
  await include(id, '0x01')
  return { payment, batchId: id }
}
async function openRecord(batchId: string): Promise<void> {
  await inTransaction(database, async (tx) => {
    const settling = [{ txHash: toHex(randomBytes(32)), blockNumber: 7n, blockHash: zeroHash, batchId, digests: [] }]
    const span = await loadSpan(tx, [uuidOfOwn('sb', batchId)])
    await openAuditRecords({ tx, chainId, vault, block: { number: 7n, hash: zeroHash, at: 7n } }, settling, span)
  })
}
const ofBooks = (on: Database) => ({
  intents: createIntents({ database: on, acknowledger, newId }),
  batching: createBatching(on),
  batches: createBatches(on),
  orders: createOrders(on),
  reconciliation: createReconciliation(on),
})
const { chainId, vault } = chain
const kind = { token: usdc.address, mode: 'independent' } as const
const cancel = { signature: `0x${'07'.repeat(64)}`, deadline: BigInt(nowSeconds() + 600) } as const
const rangeNow = () => {
  const at = { hash: zeroHash, at: BigInt(nowSeconds()), recordedAtMillis: Date.now() }
  return { from: { ...at, number: 100n }, to: { ...at, number: 103n } }
}
const anyPage = { limit: 20, after: undefined, createdFromMillis: undefined, createdToMillis: undefined }
const anyIntent = {
  ...{ ...anyPage, visibleTo: undefined, state: undefined, payer: undefined, payee: undefined, token: undefined },
  ...{ chainId: undefined, orderId: undefined, batchId: undefined },
}
const operator = { operatorId: 'desk', note: undefined }

/** Of each table by its id: one day, events of a changed state among them. Of those that search what is recent: four days at most of one table, or of two. */
const cases: readonly (readonly [string, number, () => Promise<(on: Database) => Promise<unknown>>])[] = [
  [
    'a read of a settled payment',
    4,
    async () => {
      const { payment } = await settled()
      return (on) => ofBooks(on).intents.find(payment.id)
    },
  ],
  [
    'a read of a payment on hold',
    1,
    async () => {
      const { id } = await held()
      return (on) => ofBooks(on).intents.find(id)
    },
  ],
  [
    'the lock of a payment',
    2,
    async () => {
      const { payment } = await settled()
      return (on) => lockIntent(on as DbTransaction, uuidOfOwn('pi', payment.id))
    },
  ],
  [
    'a cancel',
    2,
    async () => {
      const { id } = await accepted()
      return (on) => ofBooks(on).intents.cancel({ id, reason: 'payer', isConsented: true, cancel })
    },
  ],
  [
    'a release',
    3,
    async () => {
      const { id } = await held()
      return (on) => ofBooks(on).intents.release({ id, chain, nowSeconds: nowSeconds(), ...operator })
    },
  ],
  [
    'a rejection',
    3,
    async () => {
      const { id } = await held()
      return (on) => ofBooks(on).intents.reject({ id, ...operator })
    },
  ],
  ['the count of what waits', 4, async () => (on) => ofBooks(on).batching.waiting(chainId, vault, 1_024)],
  ['the payments that wait', 4, async () => (on) => ofBooks(on).batching.payments(chainId, vault, kind, 9)],
  ['the cancels that wait', 4, async () => (on) => ofBooks(on).batching.cancels(chainId, vault, usdc.address, 9)],
  [
    'a refusal',
    1,
    async () => {
      const { id } = await accepted()
      return (on) => ofBooks(on).batching.refuse([{ id, reason: 'no_balance', retryAfterMillis: 1 }])
    },
  ],
  [
    'a new batch',
    4,
    async () => {
      const { id } = await accepted()
      const records = { payments: [{ id, bit: 0 }], cancelIds: [] }
      const payload = {
        anchor: zeroHash,
        opening: { sequence: 0n, head: zeroHash },
        payload: '0x01',
        gasLimit: 1n,
      } as const
      return (on) => ofBooks(on).batching.create({ id: newId('sb'), chainId, vault, ...kind, ...payload, ...records })
    },
  ],
  [
    'a read of a batch',
    4,
    async () => {
      const { batchId } = await settled()
      return (on) => ofBooks(on).batches.find(batchId)
    },
  ],
  [
    'who may see a batch',
    3,
    async () => {
      const { batchId } = await settled()
      return (on) => ofBooks(on).batches.isVisibleTo(batchId, 'app-x')
    },
  ],
  [
    'the numbers and records of a final batch',
    3,
    async () => {
      const { batchId } = await settled()
      return async (on) => {
        const tx = on as DbTransaction
        const txHash = toHex(randomBytes(32))
        const settling = [{ txHash, blockNumber: 7n, blockHash: zeroHash, batchId, digests: [] }]
        const span = await loadSpan(tx, [uuidOfOwn('sb', batchId)])
        await openAuditRecords({ tx, chainId, vault, block: { number: 7n, hash: zeroHash, at: 7n } }, settling, span)
      }
    },
  ],
  [
    'the next record to build and what the books know of it',
    4,
    async () => {
      const { payment, batchId } = await settled()
      await openRecord(batchId)
      return async (on) => {
        const record = await createAudit(on).next(chainId, vault)
        if (record !== undefined) await createAudit(on).booked({ ...record, batchId }, [payment.digest])
      }
    },
  ],
  [
    'a built record and the claim of its copies',
    2,
    async () => {
      await openRecord((await settled()).batchId)
      return async (on) => {
        const record = await createAudit(on).next(chainId, vault)
        const built = { bytes: Buffer.from('{}'), sha256: toHex(randomBytes(32)), cid: 'bafy' }
        if (record !== undefined) await createAudit(on).store(chainId, vault, record, built)
        const due = { chainId, vault, store: 'ipfs', countMax: 8, leaseMillis: 1 } as const
        expect((await createArchive(on).claim(due)).length).toBeGreaterThan(0)
      }
    },
  ],
  [
    'a read of an audit record',
    1,
    async () => {
      const { batchId } = await settled()
      await openRecord(batchId)
      return (on) => createAuditRecords(on).findOfBatch(batchId)
    },
  ],
  [
    'a read of an order',
    1,
    async () => {
      const wanted = order()
      await books.orders.create(wanted)
      return (on) => ofBooks(on).orders.find(wanted.id)
    },
  ],
  // A range opens the days around its last moments, of a table by its id: five at most, as long as a process's clock may be off.
  ['whether money moved in a range', 4, async () => (on) => ofBooks(on).reconciliation.hasMoved(chain, rangeNow())],
  ['the ledger of a range', 4, async () => (on) => ofBooks(on).reconciliation.ledger(chain, rangeNow(), [])],
  [
    'the final payments of a range and their events',
    9,
    async () => {
      await settled()
      await sql`update batch set state = 'finalized' where state = 'included'`.execute(database)
      return (on) => ofBooks(on).reconciliation.intents(chain, rangeNow(), [])
    },
  ],
  [
    'the audit records of a range',
    5,
    async () => {
      const { batchId } = await settled()
      await openRecord(batchId)
      return (on) => ofBooks(on).reconciliation.auditRecords(chain, rangeNow(), [zeroHash])
    },
  ],
  ['the sums of a range', 12, async () => (on) => ofBooks(on).reconciliation.sums(chain, rangeNow())],
  [
    // All days in which a chained payment may be cancelling, whose sequence another payment has taken over.
    'what an account reserves',
    4,
    async () => {
      const { payment } = await accepted()
      return (on) => ofBooks(on).reconciliation.reservations(chain, [{ ...payment, mode: kind.mode }])
    },
  ],
  [
    'a page of payments of the last hour, by state',
    // Two days of payments, if the hour before began yesterday, and of their batches; of the page's, orders and acknowledgements.
    8,
    async () => {
      const { payment } = await settled()
      const to = Date.now() + 1_000
      const recent = { ...anyIntent, visibleTo: payment.appId, createdFromMillis: to - 3600_000, createdToMillis: to }
      return (on) => ofBooks(on).intents.list({ ...recent, state: 'included' })
    },
  ],
  [
    'a page of payments of an order, however long ago others were made',
    6,
    async () => {
      const { payment } = await settled()
      const found = await books.intents.find(payment.id)
      return (on) => ofBooks(on).intents.list({ ...anyIntent, orderId: found?.orderId })
    },
  ],
  [
    'a full page of payments, whose days reach back two months',
    // Today, the three days ahead, and what the payments' batches, orders and acknowledgements lie in.
    8,
    async () => {
      const { payment } = await settled()
      await settled()
      return (on) => ofBooks(on).intents.list({ ...anyIntent, limit: 1, token: payment.payment.token })
    },
  ],
  [
    'a page of payments that finds none',
    31,
    async () => (on) => ofBooks(on).intents.list({ ...anyIntent, visibleTo: 'x' }),
  ],
  [
    'a page of orders that finds none',
    31,
    async () => (on) =>
      ofBooks(on).orders.list({
        ...{ ...anyPage, appId: 'x', payee: undefined, reference: undefined, state: undefined },
        nowSeconds: nowSeconds(),
      }),
  ],
  [
    'a page of batches that finds none, in two tables',
    62,
    async () => (on) => ofBooks(on).batches.list({ ...anyPage, visibleTo: 'x', chainId: undefined, state: undefined }),
  ],
  [
    'the events of a payment',
    1,
    async () => {
      const { payment } = await settled()
      return (on) => createEvents(on).of(payment.id, { afterSequence: 0, countMax: 9 })
    },
  ],
  ['the events of all', 18, async () => async (on) => createEvents(on).after(await createEvents(on).now(), 9)],
  [
    'the events of an app',
    18,
    async () => async (on) => {
      const until = await createEvents(on).now()
      return createEvents(on).ofApp('app-a', { after: { ...until, xid: 0n }, until, countMax: 9 })
    },
  ],
  ['a new order', 1, async () => (on) => ofBooks(on).orders.create(order())],
  [
    'a rejection that a webhook will tell',
    4,
    async () => {
      await endpointOf(database, { appId: 'told' })
      const payment = candidate({
        ...{ appId: 'told', amount: holdAbove + 1n },
        payer: await payerWith(books, 2n * holdAbove),
      })
      await admitOne(books, payment)
      return (on) => ofBooks(on).intents.reject({ id: payment.id, ...operator })
    },
  ],
  // Open deliveries are a week old at most: eight days back, today and tomorrow, and the payment and its event.
  [
    'a claim of webhooks',
    12,
    async () => {
      await told()
      return (on) => webhooksOn(on).notification.claim(roomy)
    },
  ],
  [
    'the results of webhooks',
    10,
    async () => {
      const results = (await told()).map((delivery) => tried(delivery, given))
      return (on) => webhooksOn(on).notification.settle(results)
    },
  ],
  [
    'a replay',
    // Ten of deliveries, and the days of its event and of its payment.
    12,
    async () => {
      const [delivery] = await told()
      if (delivery === undefined) throw new Error('nothing claimed')
      await webhooksOn(database).notification.settle([tried(delivery, given)])
      return (on) => webhooksOn(on).deliveries.replay('told', delivery.id)
    },
  ],
  [
    'a page of deliveries that the last days fill',
    7,
    async () => {
      await told()
      const filter = { endpointId: undefined, intentId: undefined, state: undefined, before: undefined }
      return (on) => webhooksOn(on).deliveries.list({ appId: 'told', ...filter, countMax: 1 })
    },
  ],
  ['the backlog of webhooks', 10, async () => (on) => webhooksOn(on).deliveries.backlog()],
]

/** Claimed deliveries of one payment of an app with an endpoint. */
async function told() {
  await endpointOf(database, { appId: 'told' })
  await eventsOf(database, { appId: 'told', states: ['accepted'] })
  return (await webhooksOn(database).notification.claim(roomy)).deliveries
}

test.each(cases)('%s opens %i days at most', async (_name, daysMax, prepare) => {
  const work = await prepare()
  const days = await daysLocked(work)
  expect(days).toBeGreaterThan(0)
  expect(days).toBeLessThanOrEqual(daysMax)
})

test('a join by a column opens every day: what the bounds above are for', async () => {
  const { payment } = await settled()
  const joined = (on: Database) =>
    sql`select from intent i join batch b on b.id = i.batch_id where i.id = ${uuidOfOwn('pi', payment.id)}`.execute(on)
  expect(await daysLocked(joined)).toBeGreaterThan(60)
})
