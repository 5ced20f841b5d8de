import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, inject } from 'vitest'
import { connectDatabase, type Database } from '../../adapters/postgres/database.ts'
import { migrate } from '../../adapters/postgres/migrate.ts'
import { startPostgres } from '../../scripts/embedded/postgres.ts'

declare module 'vitest' {
  interface ProvidedContext {
    postgresUrl: string | undefined
  }
}

/** A migrated database of its own on a real server. `connect` opens another pool on it, as another process would. */
export async function freshDatabase(): Promise<{
  readonly database: Database
  readonly connect: () => Database
  readonly url: string
}> {
  const server = new URL(inject('postgresUrl') ?? (await startForThisFile()))
  const name = `test_${randomUUID().replaceAll('-', '')}`
  const admin = new pg.Client({ connectionString: server.href })
  await admin.connect()
  await admin.query(`create database ${name}`)
  await admin.end()
  server.pathname = name
  const connect = () => {
    const database = connectDatabase({ url: server.href, onIdleError: () => undefined })
    afterAll(() => database.destroy())
    return database
  }
  const database = connect()
  await migrate(database)
  return { database, connect, url: server.href }
}

/** A test run that provides `postgresUrl` (see postgres-global-setup.ts) shares one server instead. */
async function startForThisFile(): Promise<string> {
  const { url, stop } = await startTemporaryPostgres()
  afterAll(stop)
  return url
}

export async function startTemporaryPostgres(): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'ice-test-postgres-'))
  const { url, stop } = await startPostgres({ directory })
  return {
    url,
    stop: async () => {
      await stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
