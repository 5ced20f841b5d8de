import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { createArweaveStore } from '../../adapters/arweave/store.ts'
import { parseWallet } from '../../adapters/arweave/transaction.ts'
import { startArweave } from '../../scripts/embedded/arweave.ts'
import { freePort } from '../../scripts/embedded/port.ts'
import { testArchiveStore } from './archive-store.suite.ts'

testArchiveStore('Arweave', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'ice-test-arweave-'))
  const arweave = await startArweave({ directory })
  afterAll(async () => {
    await arweave.stop()
    await rm(directory, { recursive: true, force: true })
  })
  const wallet = parseWallet(await readFile(arweave.keyFile, 'utf8'))
  const limits = { confirmationsMin: 1, rewardWinstonMax: 10n ** 12n, timeoutMillisMax: 8_000, lookEveryMillis: 50 }
  return {
    store: createArweaveStore({ gatewayUrl: arweave.url, wallet, ...limits }),
    down: createArweaveStore({ gatewayUrl: `http://127.0.0.1:${await freePort()}`, wallet, ...limits }),
    unknownId: 'A'.repeat(43),
  }
})
