import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { openBlockStore } from '../../adapters/ipfs/block-store.ts'
import { cidOf } from '../../adapters/ipfs/unixfs.ts'
import { startIpfs } from '../../scripts/embedded/ipfs.ts'
import { testArchiveStore } from './archive-store.suite.ts'

// The real file system, with a note of what was synced: no test can cut the power.
const synced = vi.hoisted((): string[] => [])
vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:fs/promises')>()
  return {
    ...real,
    open: async (...asked: Parameters<typeof real.open>) => {
      const file = await real.open(...asked)
      const sync = file.sync.bind(file)
      file.sync = async () => {
        await sync()
        synced.push(`${asked[0]}`)
      }
      return file
    },
  }
})

const directory = await mkdtemp(join(tmpdir(), 'ice-test-blocks-'))
const ipfs = await startIpfs({ directory })
afterAll(async () => {
  await ipfs.stop()
  await rm(directory, { recursive: true, force: true })
})

testArchiveStore('a folder of IPFS blocks', async () => {
  const broken = await mkdtemp(join(tmpdir(), 'ice-test-broken-'))
  afterAll(() => rm(broken, { recursive: true, force: true }))
  const down = await openBlockStore(join(broken, 'blocks'))
  // Where the folder was is a file now: it can be neither read nor written.
  await rm(join(broken, 'blocks'), { recursive: true })
  await writeFile(join(broken, 'blocks'), '')
  return { store: await openBlockStore(directory), down, unknownId: `${await cidOf(Buffer.from('nobody sent this'))}` }
})

test('a gateway serves what the folder holds, and 404 for what it does not', async () => {
  const store = await openBlockStore(directory)
  const bytes = Buffer.alloc(600_000, 'ice')
  const { id } = await store.seal(bytes, {})
  expect((await fetch(`${ipfs.url}/ipfs/${id}`)).status).toBe(404)
  await store.put(bytes, { id, envelope: '' })
  const response = await fetch(`${ipfs.url}/ipfs/${id}`)
  expect(response.status).toBe(200)
  expect(bytes.equals(Buffer.from(await response.arrayBuffer()))).toBe(true)
  expect((await fetch(`${ipfs.url}/ipfs/../../etc/passwd`)).status).toBe(400)
  expect((await fetch(`${ipfs.url}/ipfs/${id}`, { method: 'DELETE' })).status).toBe(405)
})

test('a block’s bytes, then its name, then its folder’s name are on the disk when it is put', async () => {
  const store = await openBlockStore(directory)
  const bytes = Buffer.from('kept through a power cut')
  const { id } = await store.seal(bytes, {})
  synced.length = 0
  await store.put(bytes, { id, envelope: '' })
  const [draft = '', ...folders] = synced
  expect(basename(draft).startsWith(`${id}.`)).toBe(true)
  expect(folders).toEqual([dirname(draft), directory])
})

// Raw leaves: their CIDs are base32 of 0x01 0x55 0x12 0x20 and the SHA-256. Larger files are compared with a node in test/peers.
test.each([
  ['hello world', 'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e'],
  ['', 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'],
])('the CID of %j is its SHA-256 under a prefix', async (text, cid) => {
  expect(`${await cidOf(Buffer.from(text))}`).toBe(cid)
})
