import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import pg from 'pg'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { freePort } from '../../scripts/embedded/port.ts'
import { startPostgres } from '../../scripts/embedded/postgres.ts'
import { freshDirectory, isAlive, until } from './directory.ts'

vi.setConfig({ testTimeout: 30_000 })

const isRoot = process.getuid?.() === 0

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function start(options: Parameters<typeof startPostgres>[0]) {
  const postgres = await startPostgres(options)
  onTestFinished(postgres.stop)
  return postgres
}

const postmasterOf = async (directory: string) =>
  Number((await readFile(join(directory, 'cluster', 'postmaster.pid'), 'utf8')).split('\n')[0])

describe('a Postgres server', () => {
  test('keeps its rows and its password over a restart, and what it promised over kill -9', async () => {
    const directory = join(await freshDirectory(), 'not', 'yet', 'there')
    const first = await start({ directory })
    await query(first.url, 'create table kept (n int); insert into kept values (1)')
    await first.stop()

    const second = await start({ directory })
    expect(new URL(second.url).password).toBe(new URL(first.url).password)
    await query(second.url, 'insert into kept values (2)')
    const postmaster = await postmasterOf(directory)
    process.kill(postmaster, 'SIGKILL')
    await until(() => !isAlive(postmaster))
    await second.stop()

    // The worst case: the id in the stale lock file belongs to another program by now.
    const lock = join(directory, 'cluster', 'postmaster.pid')
    await writeFile(lock, (await readFile(lock, 'utf8')).replace(/^\d+/, `${process.pid}`))
    const third = await start({ directory })
    expect(await query(third.url, 'select n from kept order by n')).toEqual([{ n: 1 }, { n: 2 }])
  })

  test('is set up for money on a laptop', async () => {
    const directory = await freshDirectory()
    const { url } = await start({ directory })
    const settings = await query(
      url,
      `select name, setting from pg_settings where name in ('fsync', 'synchronous_commit', 'max_connections',
       'listen_addresses', 'unix_socket_directories', 'password_encryption', 'server_encoding', 'TimeZone')`,
    )
    expect(Object.fromEntries(settings.map(({ name, setting }) => [name, setting]))).toEqual({
      fsync: 'on',
      synchronous_commit: 'on',
      max_connections: '200',
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      password_encryption: 'scram-sha-256',
      server_encoding: 'UTF8',
      TimeZone: 'UTC',
    })
    expect(((await stat(join(directory, 'password'))).mode & 0o777).toString(8)).toBe('600')
    const wrong = new URL(url)
    wrong.password = 'guess'
    await expect(query(wrong.href, 'select 1')).rejects.toThrow('password authentication failed')
    expect(new URL(url).pathname).toBe('/ice')
  })

  test('is not started twice on the same data', async () => {
    const directory = await freshDirectory()
    await start({ directory })
    const pid = await postmasterOf(directory)
    await expect(startPostgres({ directory })).rejects.toThrow(
      `A Postgres server (process ${pid}) is still running on ${join(directory, 'cluster')}. Stop it first: kill -INT ${pid}.`,
    )
  })

  test('is refused a taken port', async () => {
    const port = await freePort()
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    await expect(startPostgres({ directory: await freshDirectory(), port })).rejects.toThrow(
      `Port ${port} is taken by another program. Stop it, or choose another port for Postgres.`,
    )
  })

  test('is refused a directory that cannot be written', async () => {
    const file = join(await freshDirectory(), 'file')
    await writeFile(file, '')
    const directory = join(file, 'postgres')
    await expect(startPostgres({ directory })).rejects.toThrow(
      `The data directory ${directory} cannot be written (ENOTDIR).`,
    )
  })

  test.runIf(isRoot)('started by root is refused a directory that nobody may enter', async () => {
    const locked = join(await freshDirectory(), 'locked')
    await mkdir(locked)
    await chmod(locked, 0o700)
    await expect(startPostgres({ directory: join(locked, 'postgres') })).rejects.toThrow(`who may not enter ${locked},`)
  })
})
