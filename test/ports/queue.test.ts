import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../scripts/embedded/port.ts'
import { startPostgres } from '../../scripts/embedded/postgres.ts'
import { testQueue } from './queue.suite.ts'

testQueue('Postgres', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'ice-queue-'))
  const port = await freePort()
  let server = await startPostgres({ directory, port })
  return {
    connection: { postgres: server.url },
    down: () => server.stop(),
    async up() {
      server = await startPostgres({ directory, port })
    },
    async stop() {
      await server.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
})
