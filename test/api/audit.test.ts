import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import { beforeAll, describe, expect, test } from 'vitest'
import { createArchive } from '../../adapters/postgres/archive.ts'
import { createAudit } from '../../adapters/postgres/audit.ts'
import { openAuditRecords } from '../../adapters/postgres/audit-obligations.ts'
import { loadSpan } from '../../adapters/postgres/batch-span.ts'
import { createBatching } from '../../adapters/postgres/batching.ts'
import { newId, uuidOfOwn } from '../../adapters/postgres/codec.ts'
import { inTransaction } from '../../adapters/postgres/database.ts'
import { zeroHash } from '../../core/protocol/typed-data.ts'
import { createWorld, type World } from './world.ts'

let world: World
let batchId: string
let outsideDigest: `0x${string}`
const word = (byte: string) => `0x${byte.repeat(32)}` as const
const content = Buffer.from('{"schema":"ice.audit-record/1","sequence":"1"}')
const sha256 = `0x${createHash('sha256').update(content).digest('hex')}` as const

beforeAll(async () => {
  world = await createWorld({ payerCount: 1 })
  const { database, chainId, vault, token } = world
  const [payer] = world.payers
  if (payer === undefined) throw new Error('no payer')
  await world.depositFor(payer)
  const submit = async () => {
    const terms = { ...{ chainId, payer: payer.address, payee: world.payee, token: token.address }, amount: '1000000' }
    const { body: prepared } = await world.post('/v1/intents/prepare', terms)
    const { body } = await world.post('/v1/intents', await world.signed(payer, prepared))
    return body
  }
  const paid = await submit()
  outsideDigest = (await submit()).digest
  batchId = newId('sb')
  await createBatching(database).create({
    ...{ id: batchId, chainId, vault, token: token.address, anchor: zeroHash, payload: '0x01', gasLimit: 1n },
    ...{
      opening: { sequence: 0n, head: zeroHash },
      mode: 'independent',
      payments: [{ id: paid.id, bit: 0 }],
      cancelIds: [],
    },
  })
})

/** What finality writes of a batch and of a tx that was not ours. */
async function finalize(): Promise<void> {
  const { database, chainId, vault } = world
  const place = { blockNumber: 7n, blockHash: word('0b') }
  await inTransaction(database, async (tx) => {
    const block = { number: 7n, hash: word('0b'), at: 1_800_000_000n }
    await openAuditRecords(
      { tx, chainId, vault, block },
      [
        { ...place, txHash: word('01'), batchId, digests: [] },
        { ...place, txHash: word('02'), batchId: undefined, digests: [outsideDigest] },
      ],
      await loadSpan(tx, [uuidOfOwn('sb', batchId)]),
    )
  })
}
async function build(): Promise<string> {
  const audit = createAudit(world.database)
  const open = await audit.next(world.chainId, world.vault)
  if (open === undefined) throw new Error('nothing is open')
  const built = { bytes: content, sha256, cid: 'bafkreia' }
  expect(await audit.store(world.chainId, world.vault, open, built)).toBe('stored')
  return open.id
}
const audit = async (as: 'wallet' | 'operator' = 'wallet') =>
  (await world.get(`/v1/batches/${batchId}`, { as })).body.audit

describe('a batch', () => {
  test('has no audit record before it is final, then an open one, then its copies one by one', async () => {
    expect(await audit()).toBeNull()
    await finalize()
    const open = { sequence: '1', sha256: null, cid: null, arweaveId: null, status: 'open', ipfs: null, arweave: null }
    expect(await audit()).toEqual({ id: expect.stringMatching(/^ar_/), ...open })
    const id = await build()
    const waiting = { state: 'waiting', failures: 0, reason: null, archivedAt: null }
    expect(await audit()).toMatchObject({
      id,
      sha256,
      cid: 'bafkreia',
      status: 'open',
      ipfs: waiting,
      arweave: waiting,
    })

    const archive = createArchive(world.database)
    const due = { ...{ chainId: world.chainId, vault: world.vault }, countMax: 9, leaseMillis: 60_000 }
    for (const store of ['ipfs', 'arweave'] as const) {
      const [copy] = await archive.claim({ ...due, store })
      if (copy === undefined) throw new Error('nothing is due')
      await archive.seal(copy, { id: `item-${store}`, envelope: '' })
      await archive.post(copy)
      await archive.finish(copy)
    }
    const archived = { state: 'archived', failures: 0, reason: null, archivedAt: expect.any(String) }
    expect(await audit()).toMatchObject({
      status: 'archived',
      arweaveId: 'item-arweave',
      ipfs: archived,
      arweave: archived,
    })
  })
})

describe('an audit record', () => {
  const idOfBatch = async () => (await audit('operator')).id as string

  test('is handed out byte for byte, with its digest', async () => {
    const response = await world.app.request(`/v1/audit/records/${await idOfBatch()}`, {
      headers: { authorization: `Basic ${btoa('wallet:wallet-secret')}` },
    })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(Buffer.from(await response.arrayBuffer()).equals(content)).toBe(true)
    const digest = createHash('sha256').update(content).digest('base64')
    expect(response.headers.get('repr-digest')).toBe(`sha-256=:${digest}:`)
  })

  test('is for the apps of its batch and operators; others hear what they hear of nothing', async () => {
    const id = await idOfBatch()
    const ask = async (as: Parameters<World['get']>[1]) => (await world.get(`/v1/audit/records/${id}`, as)).status
    expect(await Promise.all([ask({ as: 'wallet' }), ask({ as: 'operator' }), ask({ as: 'merchant' })])).toEqual([
      200, 200, 404,
    ])
    const foreign = await world.get(`/v1/audit/records/${id}`, { as: 'merchant' })
    const unknown = await world.get(`/v1/audit/records/${newId('ar')}`, { as: 'merchant' })
    expect({ ...foreign.body, instance: '' }).toEqual({ ...unknown.body, instance: '' })
  })

  test('of a tx that was not ours is for the app whose payment it settled', async () => {
    const { rows } = await sql<{ id: string }>`select id from audit_record where batch_id is null`.execute(
      world.database,
    )
    expect(rows).toHaveLength(1)
    const id = await build()
    expect((await world.get(`/v1/audit/records/${id}`, { as: 'wallet' })).status).toBe(200)
    expect((await world.get(`/v1/audit/records/${id}`, { as: 'merchant' })).status).toBe(404)
  })

  test.each(['ar_', 'sb_01k9v3m2c7f60a4nx8p5j3k1hd', '%00', 'ar_zzzzzzzzzzzzzzzzzzzzzzzzzz'])(
    'under %j is not found',
    async (id) => {
      expect((await world.get(`/v1/audit/records/${id}`)).status).toBe(404)
    },
  )
})
