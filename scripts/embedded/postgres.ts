import { randomBytes } from 'node:crypto'
import { chmod, chown, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import pg from 'pg'
import { type Child, startProgram } from './child.ts'
import { assertPortFree, freePort } from './port.ts'
import { type Binaries, postgresBinaries } from './postgres-binaries.ts'
import { assertEnterable, type Identity, postgresIdentity } from './postgres-identity.ts'
import { releaseStaleLock } from './postgres-lock.ts'
import { StartError } from './start-error.ts'

const host = '127.0.0.1'
const user = 'ice'
const database = 'ice'
const readyWithinSeconds = 60

/** A server that listens on 127.0.0.1. */
export type Postgres = Child & { readonly url: string }

/**
 * Starts a real Postgres server on 127.0.0.1 with its data in `directory`, which it makes and fills when it is empty.
 * `url` names the database `ice`. `stop` is Postgres's fast shutdown: open transactions are rolled back.
 */
export async function startPostgres({
  directory,
  port,
}: {
  readonly directory: string
  /** Any free one if absent; it may then differ from start to start. */
  readonly port?: number
}): Promise<Postgres> {
  if (port !== undefined) await assertPortFree(port, host, { remedy: 'Stop it, or choose another port for Postgres.' })
  const home = resolve(directory)
  const cluster = join(home, 'cluster')
  const identity = postgresIdentity()
  const binaries = await postgresBinaries({ identity })
  await makeHome({ home, identity })
  const password = await loadPassword({ home, identity })
  await releaseStaleLock({ cluster })
  if (!(await exists(join(cluster, 'PG_VERSION')))) await initialise({ home, cluster, binaries, identity })

  const chosen = port ?? (await freePort())
  const child = await startProgram({
    command: binaries.postgres,
    args: [
      '-D',
      cluster,
      '-p',
      `${chosen}`,
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    env: environment(),
    stopSignal: 'SIGINT',
    graceSeconds: 30,
    ...(identity ? { identity } : {}),
  })
  const url = (name: string) => `postgres://${user}:${password}@${host}:${chosen}/${name}`
  try {
    await waitUntilReady({ child, url: url('postgres') })
    await createDatabase({ url: url('postgres') })
  } catch (error) {
    await child.stop()
    throw error
  }
  return { ...child, url: url(database) }
}

const settings = {
  listen_addresses: host,
  unix_socket_directories: '',
  shared_buffers: '128MB',
  max_connections: '200',
  // Money is kept here: what was committed must be on disk, on a laptop too.
  fsync: 'on',
  synchronous_commit: 'on',
  timezone: 'UTC',
  log_timezone: 'UTC',
} as const

/** Ours without what would bend Postgres: PGDATA, PGPORT and their kin, and the locale of messages we may quote. */
function environment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('PG') && !name.startsWith('LC_'))
  return { ...Object.fromEntries(kept), LC_ALL: 'C', LANG: 'C' }
}

async function makeHome({ home, identity }: { readonly home: string; readonly identity: Identity }): Promise<void> {
  try {
    // Only the last one is private: nobody must be able to pass through those above.
    await mkdir(home, { recursive: true })
    await chmod(home, 0o700)
    if (identity) await chown(home, identity.uid, identity.gid)
    const probe = join(home, '.writable')
    await writeFile(probe, '')
    await rm(probe)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new StartError(
      `The data directory ${home} cannot be written (${code}). Make it writable for this user, or choose another one.`,
    )
  }
  await assertEnterable({ path: home, identity })
}

/** One random password per data directory, kept beside the cluster for the next start. */
async function loadPassword({
  home,
  identity,
}: {
  readonly home: string
  readonly identity: Identity
}): Promise<string> {
  const file = join(home, 'password')
  if (!(await exists(file))) {
    if (await exists(join(home, 'cluster', 'PG_VERSION')))
      throw new StartError(
        `The file ${file} is missing, and without it nobody can log in to the data beside it. Put it back, or choose an empty data directory.`,
      )
    await writeFile(file, randomBytes(24).toString('base64url'), { mode: 0o600 })
    if (identity) await chown(file, identity.uid, identity.gid)
  }
  return (await readFile(file, 'utf8')).trim()
}

async function initialise({
  home,
  cluster,
  binaries,
  identity,
}: {
  readonly home: string
  readonly cluster: string
  readonly binaries: Binaries
  readonly identity: Identity
}): Promise<void> {
  // Made under another name and renamed when complete: a start that is killed half way leaves no half cluster behind.
  const unfinished = `${cluster}.unfinished`
  await rm(unfinished, { recursive: true, force: true })
  const child = await startProgram({
    command: binaries.initdb,
    args: [
      ...[`--pgdata=${unfinished}`, `--username=${user}`, `--pwfile=${join(home, 'password')}`],
      // The C locale sorts alike on every machine, whatever locales it has.
      ...['--auth=scram-sha-256', '--encoding=UTF8', '--no-locale', '--no-instructions'],
    ],
    env: environment(),
    ...(identity ? { identity } : {}),
  })
  const { code } = await child.exited
  if (code !== 0)
    throw new StartError(`Postgres could not make its data directory ${cluster}. Its last lines:\n${child.lastLines()}`)
  await rename(unfinished, cluster)
}

async function waitUntilReady({ child, url }: { readonly child: Child; readonly url: string }): Promise<void> {
  let gone = false
  child.exited.then(() => {
    gone = true
  })
  const deadline = Date.now() + readyWithinSeconds * 1000
  for (;;) {
    const failure = await connectOnce(url)
    if (failure === undefined) return
    if (gone) throw new StartError(`Postgres stopped while starting. Its last lines:\n${child.lastLines()}`)
    if (failure.code === '28P01')
      throw new StartError(
        'Postgres refuses the password kept beside its data. Put the right password file back, or choose an empty data directory.',
      )
    if (Date.now() > deadline)
      throw new StartError(
        `Postgres did not answer within ${readyWithinSeconds} s. Its last lines:\n${child.lastLines()}`,
      )
    await new Promise((wake) => setTimeout(wake, 30))
  }
}

async function connectOnce(url: string): Promise<(Error & { code?: string }) | undefined> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query('select 1')
    return undefined
  } catch (error) {
    return error as Error & { code?: string }
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function createDatabase({ url }: { readonly url: string }): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [database])
    if (rowCount === 0) await client.query(`create database ${database}`)
  } finally {
    await client.end()
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
