import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import type { PrivateKeyAccount } from 'viem/accounts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createArweaveStore } from '../../adapters/arweave/store.ts'
import { parseWallet } from '../../adapters/arweave/transaction.ts'
import { openBlockStore } from '../../adapters/ipfs/block-store.ts'
import { createArchive } from '../../adapters/postgres/archive.ts'
import { createAuditRecords } from '../../adapters/postgres/audit-records.ts'
import type { StoreName } from '../../core/archive.ts'
import { type ArchiveStore, StoreUnavailableError } from '../../core/ports/archive-store.ts'
import { pipeline } from '../../relayer/pipeline.ts'
import type { StageContext } from '../../relayer/stage.ts'
import { startArweave } from '../../scripts/embedded/arweave.ts'
import { createWorld } from './world.ts'

const directory = await mkdtemp(join(tmpdir(), 'ice-test-arweave-'))
const arweave = await startArweave({ directory, blockMillis: 50 })
afterAll(async () => {
  await arweave.stop()
  await rm(directory, { recursive: true, force: true })
})
const world = await createWorld({ archives: { arweave } })
const { config, context, database } = world
const auditRecords = createAuditRecords(database)
let payer: PrivateKeyAccount
let nonce = 0n
beforeAll(async () => {
  payer = await world.payerWith(60_000_000n)
})

/** A final payment whose record is built and archived nowhere. */
async function recorded(): Promise<string> {
  const { id } = await world.pay(payer, { nonce: nonce++ })
  await world.run('batch', 'submit')
  await world.settleDown()
  await world.run('record')
  const batchId = (await world.intents.find(id))?.batchId
  expect(await world.stateOf(id)).toBe('finalized')
  if (batchId === undefined) throw new Error('no batch')
  return batchId
}
async function copyOf(batchId: string, store: StoreName) {
  const copy = (await auditRecords.findOfBatch(batchId))?.copies.find((each) => each.store === store)
  if (copy === undefined) throw new Error(`no copy of ${batchId}`)
  return copy
}
const withStore = (store: ArchiveStore, change: Partial<ArchiveStore>): StageContext => ({
  ...context,
  stores: { ...context.stores, [store.name]: { ...store, ...change } },
})
const makeDue = () => sql`update archive_copy set next_attempt_at = now() where state <> 'archived'`.execute(database)
/** As if the process that held it had died long ago. */
const endLeases = () =>
  sql`update archive_copy set leased_until = now() where leased_until is not null`.execute(database)
async function untilArchived(batchId: string, store: StoreName, on = context): Promise<void> {
  for (;;) {
    await pipeline[`archive-${store}`](on)
    if ((await copyOf(batchId, store)).state === 'archived') return
    await makeDue()
    await sleep(20)
  }
}
const { ipfs, arweave: onArweave } = context.stores

describe('a record', () => {
  test('is archived once both stores gave its very bytes back', async () => {
    const batchId = await recorded()
    expect((await auditRecords.findOfBatch(batchId))?.copies.map(({ store, state }) => [store, state])).toEqual([
      ['ipfs', 'waiting'],
      ['arweave', 'waiting'],
    ])
    await untilArchived(batchId, 'ipfs')
    await untilArchived(batchId, 'arweave')
    const view = await auditRecords.findOfBatch(batchId)
    const bytes = await auditRecords.bytes(view?.id ?? '')
    expect(view?.copies).toMatchObject([
      { store: 'ipfs', state: 'archived', itemId: view?.cid, failures: 0, lastError: undefined },
      { store: 'arweave', state: 'archived', failures: 0, lastError: undefined },
    ])
    const public_ = await fetch(`${arweave.url}/${view?.copies[1]?.itemId}`)
    expect(Buffer.from(await public_.arrayBuffer()).equals(bytes ?? Buffer.alloc(0))).toBe(true)
    expect(await pipeline['archive-ipfs'](context)).toEqual([])
  })

  test('is found on Arweave by its tags, without us', async () => {
    const batchId = await recorded()
    await untilArchived(batchId, 'arweave')
    const { cid, sequence, copies } = (await auditRecords.findOfBatch(batchId)) ?? {}
    const query = `{ transactions(tags: [{ name: "CID", values: ["${cid}"] }]) { edges { node { id tags { name value } } } } }`
    const response = await fetch(`${arweave.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    })
    const { data } = (await response.json()) as {
      data: { transactions: { edges: { node: { id: string; tags: { name: string; value: string }[] } }[] } }
    }
    const [edge] = data.transactions.edges
    expect(edge?.node.id).toBe(copies?.find(({ store }) => store === 'arweave')?.itemId)
    expect(edge?.node.tags).toContainEqual({ name: 'Sequence', value: `${sequence}` })
    expect(edge?.node.tags).toContainEqual({ name: 'Schema', value: 'ice.audit-record/1' })
  })
})

describe('a store that', () => {
  const faults: readonly (readonly [string, Partial<ArchiveStore>, string, string])[] = [
    [
      'calls it otherwise',
      { put: async () => ({ outcome: 'refused', reason: 'the node calls it bafyother' }) },
      'waiting',
      'bafyother',
    ],
    [
      'is down',
      { put: async () => Promise.reject(new StoreUnavailableError('ipfs', 'put')) },
      'sealed',
      'did not answer: put',
    ],
    ['forgets', { keeping: async () => ({ outcome: 'absent' }) }, 'sealed', 'is not there: sent again'],
    ['keeps it and cannot show it', { read: async () => ({ outcome: 'absent' }) }, 'sealed', 'cannot be read'],
    [
      'lies',
      { read: async () => ({ outcome: 'found', value: Buffer.from('{}') }) },
      'sealed',
      'reads as other bytes: sha256 0x44136fa3',
    ],
    [
      'is short of a byte',
      { read: async (id, size) => cut(await ipfs.read(id, size)) },
      'sealed',
      'reads as other bytes',
    ],
  ]
  const cut = (read: Awaited<ReturnType<ArchiveStore['read']>>): typeof read =>
    read.outcome === 'found' ? { outcome: 'found', value: read.value.subarray(0, -1) } : read

  test.each(faults)(
    '%s leaves the obligation open with its reason, and archives it when it is well again',
    async (_, fault, state, reason) => {
      const batchId = await recorded()
      const faulty = withStore(ipfs, fault)
      await pipeline['archive-ipfs'](faulty)
      expect(await copyOf(batchId, 'ipfs')).toMatchObject({
        state,
        failures: 1,
        lastError: expect.stringContaining(reason),
      })
      // Not due yet: it waits.
      await pipeline['archive-ipfs'](faulty)
      expect(await copyOf(batchId, 'ipfs')).toMatchObject({ failures: 1 })
      await makeDue()
      await pipeline['archive-ipfs'](faulty)
      expect(await copyOf(batchId, 'ipfs')).toMatchObject({ failures: 2 })
      await untilArchived(batchId, 'arweave', faulty)
      await untilArchived(batchId, 'ipfs')
      expect(await copyOf(batchId, 'ipfs')).toMatchObject({ failures: 0, lastError: undefined })
    },
  )

  test('never answers is given up after its time, and the other is not held up by it', async () => {
    const server = createServer(() => undefined).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const stuck = await slowArweave(`http://127.0.0.1:${port}`)
    const batchId = await recorded()
    const stalled = pipeline['archive-arweave'](withStore(stuck, {}))
    await untilArchived(batchId, 'ipfs')
    await stalled
    expect(await copyOf(batchId, 'arweave')).toMatchObject({
      state: 'waiting',
      failures: 1,
      lastError: expect.stringMatching(/GET \/tx_anchor.*timeout/),
    })
    server.closeAllConnections()
    server.close()
    await makeDue()
    await untilArchived(batchId, 'arweave')
  })

  test('asks more than the most a record may cost is not paid', async () => {
    const batchId = await recorded()
    const dear = createArweaveStore({
      ...limits,
      gatewayUrl: arweave.url,
      wallet: await wallet(),
      rewardWinstonMax: 1n,
    })
    await pipeline['archive-arweave'](withStore(dear, {}))
    expect(await copyOf(batchId, 'arweave')).toMatchObject({
      state: 'waiting',
      lastError: expect.stringContaining('at most 1 are paid'),
    })
    await makeDue()
    await untilArchived(batchId, 'arweave')
  })
})

describe('an Arweave tx', () => {
  test('that the network dropped is posted again, the same', async () => {
    const batchId = await recorded()
    const posted = withStore(onArweave, { keeping: async () => ({ outcome: 'pending', have: 0, need: 1 }) })
    await pipeline['archive-arweave'](posted)
    const { itemId } = await copyOf(batchId, 'arweave')
    expect(await copyOf(batchId, 'arweave')).toMatchObject({ state: 'posted', failures: 0 })
    await drop(itemId)
    await makeDue()
    await pipeline['archive-arweave'](context)
    expect(await copyOf(batchId, 'arweave')).toMatchObject({
      state: 'sealed',
      lastError: `${itemId} is not there: sent again`,
    })
    await makeDue()
    await untilArchived(batchId, 'arweave')
    expect((await copyOf(batchId, 'arweave')).itemId).toBe(itemId)
  })

  test('that is refused for good is signed afresh', async () => {
    const batchId = await recorded()
    let refused: string | undefined
    const stale = withStore(onArweave, {
      put: async (_, { id }) => {
        refused = id
        return { outcome: 'refused', reason: 'the tx was refused with 400: tx_anchor is too old' }
      },
    })
    await pipeline['archive-arweave'](stale)
    expect(await copyOf(batchId, 'arweave')).toMatchObject({ state: 'waiting', itemId: undefined })
    await makeDue()
    await untilArchived(batchId, 'arweave')
    expect((await copyOf(batchId, 'arweave')).itemId).not.toBe(refused)
  })
})

describe('a process that dies', () => {
  class Killed extends Error {}
  const dead = async (): Promise<never> => {
    throw new Killed()
  }

  test.each(['ipfs', 'arweave'] as const)(
    'between put and store on %s leaves one item, which another finds',
    async (name) => {
      const batchId = await recorded()
      const archive = { ...createArchive(database), post: dead }
      await expect(pipeline[`archive-${name}`]({ ...context, archive })).rejects.toThrow(Killed)
      const before = await copyOf(batchId, name)
      expect(before).toMatchObject({ state: 'sealed', itemId: expect.any(String) })
      // Its lease keeps others away until it ends.
      expect(await pipeline[`archive-${name}`](context)).toEqual([])
      expect((await copyOf(batchId, name)).state).toBe('sealed')
      await endLeases()
      await untilArchived(batchId, name)
      expect((await copyOf(batchId, name)).itemId).toBe(before.itemId)
    },
  )

  test('before it stored what it sealed has sent nothing', async () => {
    const batchId = await recorded()
    const archive = { ...createArchive(database), seal: dead }
    const sent: string[] = []
    const put: ArchiveStore['put'] = async (bytes, sealed) => {
      sent.push(sealed.id)
      return onArweave.put(bytes, sealed)
    }
    await expect(pipeline['archive-arweave']({ ...withStore(onArweave, { put }), archive })).rejects.toThrow(Killed)
    expect(sent).toEqual([])
    expect(await copyOf(batchId, 'arweave')).toMatchObject({ state: 'waiting', itemId: undefined })
    await endLeases()
    await untilArchived(batchId, 'arweave')
  })

  test('is late: what it writes after another took over changes nothing', async () => {
    const batchId = await recorded()
    const archive = createArchive(database)
    const due = {
      ...{ chainId: config.chainId, vault: config.vault, store: 'ipfs' as const },
      countMax: 8,
      leaseMillis: 60_000,
    }
    const [late] = await archive.claim(due)
    await endLeases()
    await untilArchived(batchId, 'ipfs')
    if (late === undefined) throw new Error('nothing was claimed')
    expect(await archive.seal(late, { id: 'another', envelope: '' })).toBe(false)
    await archive.fail(late, { state: 'waiting', reason: 'late', millis: 0 })
    expect(await copyOf(batchId, 'ipfs')).toMatchObject({ state: 'archived', failures: 0 })
  })
})

test('processes that archive at the same time put each record once', async () => {
  await recorded()
  await recorded()
  await makeDue()
  const puts: string[] = []
  const put: ArchiveStore['put'] = async (bytes, sealed) => {
    puts.push(sealed.id)
    await sleep(20)
    return ipfs.put(bytes, sealed)
  }
  await Promise.all(Array.from({ length: 6 }, () => pipeline['archive-ipfs'](withStore(ipfs, { put }))))
  expect(puts.length).toBeGreaterThanOrEqual(2)
  expect(new Set(puts).size).toBe(puts.length)
})

test('blocks that vanished from the folder before they were archived are written again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ice-test-ipfs-'))
  afterAll(() => rm(folder, { recursive: true, force: true }))
  const store = await openBlockStore(folder)
  const batchId = await recorded()
  await makeDue()
  await pipeline['archive-ipfs'](withStore(store, { keeping: async () => ({ outcome: 'pending', have: 0, need: 1 }) }))
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true })
  await makeDue()
  await pipeline['archive-ipfs'](withStore(store, {}))
  expect(await copyOf(batchId, 'ipfs')).toMatchObject({ state: 'sealed', failures: 1 })
  await untilArchived(batchId, 'ipfs', withStore(store, {}))
})

const limits = { confirmationsMin: 1, rewardWinstonMax: 10n ** 12n, timeoutMillisMax: 8_000, lookEveryMillis: 50 }
const wallet = async () => parseWallet(await readFile(arweave.keyFile, 'utf8'))
const slowArweave = async (gatewayUrl: string) =>
  createArweaveStore({ ...limits, gatewayUrl, wallet: await wallet(), timeoutMillisMax: 300 })

async function drop(itemId: string | undefined): Promise<void> {
  const { status } = await fetch(`${arweave.url}/tx/${itemId}`, { method: 'DELETE' })
  expect(status).toBe(200)
  expect(await onArweave.keeping(itemId ?? '')).toEqual({ outcome: 'absent' })
}
