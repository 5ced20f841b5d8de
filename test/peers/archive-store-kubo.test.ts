import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { create as createKuboClient } from 'kubo-rpc-client'
import { afterAll, expect, test } from 'vitest'
import { createKuboStore, type KuboClient } from '../../adapters/ipfs/kubo.ts'
import { cidOf } from '../../adapters/ipfs/unixfs.ts'
import { startNode } from '../../scripts/embedded/child.ts'
import { freePort } from '../../scripts/embedded/port.ts'
import { testArchiveStore } from '../ports/archive-store.suite.ts'

// The node is not ours, and of the two clients one is the card's: our adapter must serve with either.
const repo = await mkdtemp(join(tmpdir(), 'ice-test-ipfs-'))
const node = await startNode<{ readonly url: string }>({
  entry: fileURLToPath(new URL('ipfs-node.mjs', import.meta.url)),
  args: [repo],
})
afterAll(async () => {
  await node.stop()
  await rm(repo, { recursive: true, force: true })
})

/** From the packages of this folder, which the compiler need not find. */
const ipfsHttpClient: string = 'ipfs-http-client'
const { create: createHttpClient }: { create: (options: { url: string }) => KuboClient } = await import(ipfsHttpClient)

const clients: readonly (readonly [string, (url: string) => KuboClient])[] = [
  ['kubo-rpc-client', (url) => createKuboClient({ url })],
  ['ipfs-http-client', (url) => createHttpClient({ url })],
]
const timeoutMillisMax = 5_000

for (const [name, connect] of clients) {
  testArchiveStore(`a node through ${name}`, async () => ({
    store: createKuboStore({ client: connect(node.ready.url), timeoutMillisMax }),
    down: createKuboStore({ client: connect(`http://127.0.0.1:${await freePort()}`), timeoutMillisMax }),
    unknownId: `${await cidOf(Buffer.from(`nobody sent this through ${name}`))}`,
  }))
}

test.each(clients)('bytes that were pinned through %s are read through the other', async (name, connect) => {
  const [, other = connect] = clients.find(([each]) => each !== name) ?? []
  const bytes = Buffer.alloc(600_000, name)
  const store = createKuboStore({ client: connect(node.ready.url), timeoutMillisMax })
  const sealed = await store.seal(bytes, {})
  expect(await store.put(bytes, sealed)).toEqual({ outcome: 'taken' })
  const reader = createKuboStore({ client: other(node.ready.url), timeoutMillisMax })
  expect(await reader.keeping(sealed.id)).toEqual({ outcome: 'kept' })
  const read = await reader.read(sealed.id, bytes.length)
  expect(read.outcome === 'found' && bytes.equals(read.value)).toBe(true)
})

test.each(clients)('a node that chunks otherwise is refused through %s, with both CIDs', async (_, connect) => {
  const client = connect(node.ready.url)
  const stubborn: KuboClient = {
    ...client,
    add: (bytes, options) => client.add(bytes, { ...options, chunker: 'size-1024' }),
  }
  const store = createKuboStore({ client: stubborn, timeoutMillisMax })
  const bytes = Buffer.alloc(5_000, 'ice')
  const { id } = await store.seal(bytes, {})
  const put = await store.put(bytes, { id, envelope: '' })
  expect(put).toMatchObject({ outcome: 'refused', reason: expect.stringContaining(`these bytes are ${id}`) })
})

test.each(clients)('what was unpinned is not kept, says the node through %s', async (name, connect) => {
  const client = connect(node.ready.url) as KuboClient & { pin: { rm: (id: string) => Promise<unknown> } }
  const store = createKuboStore({ client, timeoutMillisMax })
  const bytes = Buffer.from(`pinned and unpinned through ${name}`)
  const sealed = await store.seal(bytes, {})
  await store.put(bytes, sealed)
  expect(await store.keeping(sealed.id)).toEqual({ outcome: 'kept' })
  await client.pin.rm(sealed.id)
  expect(await store.keeping(sealed.id)).toEqual({ outcome: 'absent' })
})
