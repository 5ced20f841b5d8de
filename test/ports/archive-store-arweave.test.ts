import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { createArweaveStore } from '../../adapters/arweave/store.ts'
import { parseWallet } from '../../adapters/arweave/transaction.ts'
import { StoreUnavailableError } from '../../core/ports/archive-store.ts'
import { startArweave } from '../../scripts/embedded/arweave.ts'
import { freePort } from '../../scripts/embedded/port.ts'
import { testArchiveStore } from './archive-store.suite.ts'

const directory = await mkdtemp(join(tmpdir(), 'ice-test-arweave-'))
const arweave = await startArweave({ directory })
afterAll(async () => {
  await arweave.stop()
  await rm(directory, { recursive: true, force: true })
})
const wallet = parseWallet(await readFile(arweave.keyFile, 'utf8'))
const limits = { confirmationsMin: 1, rewardWinstonMax: 10n ** 12n, timeoutMillisMax: 8_000, lookEveryMillis: 50 }

testArchiveStore('Arweave', async () => ({
  store: createArweaveStore({ gatewayUrl: arweave.url, wallet, ...limits }),
  down: createArweaveStore({ gatewayUrl: `http://127.0.0.1:${await freePort()}`, wallet, ...limits }),
  unknownId: 'A'.repeat(43),
}))

type Answer = { readonly status: number; readonly text: string }

/** The local network behind a gateway that may answer a request itself, as real ones do: arlocal refuses nothing. */
async function behindGateway(answer: (request: string) => Promise<Answer | undefined>) {
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const { method = 'GET', url = '/' } = request
    const forward = async (): Promise<Answer> => {
      const body = method === 'POST' ? Buffer.concat(parts) : null
      const answered = await fetch(arweave.url + url, { method, body, headers: { 'content-type': 'application/json' } })
      return { status: answered.status, text: await answered.text() }
    }
    const own = await answer(`${method} ${url}`)
    // What it does not answer itself it hands on; what it says "lost" to has arrived all the same.
    const { status, text } = own === undefined || own.text === 'lost' ? await forward() : own
    response.writeHead(own?.status ?? status).end(text)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  afterAll(() => server.close())
  const gatewayUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return createArweaveStore({ gatewayUrl, wallet, ...limits })
}

describe('a gateway that refuses', () => {
  const bytes = randomBytes(300_000)

  test.each([
    ['400 and data_root_not_found', { status: 400, text: '{"error":"data_root_not_found"}' }],
    ['400 and disk_full', { status: 400, text: '{"error":"disk_full"}' }],
    ['413 and a page', { status: 413, text: '<html>Too large</html>' }],
  ])('a chunk of a tx that it took, with %s, is asked again and paid once', async (_, refusal) => {
    let isRefusing = true
    const store = await behindGateway(async (request) =>
      isRefusing && request === 'POST /chunk' ? refusal : undefined,
    )
    const sealed = await store.seal(bytes, {})
    await expect(store.put(bytes, sealed)).rejects.toBeInstanceOf(StoreUnavailableError)
    isRefusing = false
    expect(await store.put(bytes, sealed)).toEqual({ outcome: 'taken' })
  })

  test('a chunk that no node will ever take is a refusal', async () => {
    const store = await behindGateway(async (request) =>
      request === 'POST /chunk' ? { status: 400, text: '{"error":"invalid_proof"}' } : undefined,
    )
    const put = await store.put(bytes, await store.seal(bytes, {}))
    expect(put).toMatchObject({ outcome: 'refused', reason: expect.stringContaining('invalid_proof') })
  })

  test('a tx with 400 although it has it: asked again, it is known, and nothing is signed afresh', async () => {
    const store = await behindGateway(async (request) =>
      request === 'POST /tx' ? { status: 400, text: 'lost' } : undefined,
    )
    expect(await store.put(bytes, await store.seal(bytes, {}))).toEqual({ outcome: 'taken' })
  })

  test('a tx with 400 that it does not have is a refusal', async () => {
    const store = await behindGateway(async (request) =>
      request === 'POST /tx' ? { status: 400, text: 'invalid anchor' } : undefined,
    )
    const put = await store.put(bytes, await store.seal(bytes, {}))
    expect(put).toMatchObject({ outcome: 'refused', reason: 'the tx was refused with 400: invalid anchor' })
  })
})
