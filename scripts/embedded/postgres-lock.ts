import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StartError } from './start-error.ts'

/** A process id that no system hands out. */
const neverAlive = 2 ** 30

/**
 * Throws if a server still runs on `cluster`. After a crash, Postgres itself recognises its stale postmaster.pid,
 * except when the process id in it now belongs to something else: then it takes that for a server and gives up. The
 * file is not deleted but given an id that is never alive, so that Postgres still looks for leftover shared memory.
 */
export async function releaseStaleLock({ cluster }: { readonly cluster: string }): Promise<void> {
  const file = join(cluster, 'postmaster.pid')
  if (!existsSync(file)) return
  const [first = '', ...rest] = (await readFile(file, 'utf8')).split('\n')
  const pid = Number(first)
  if (!Number.isSafeInteger(pid) || pid <= 0) return
  const command = commandOf(pid)
  if (command === undefined) return
  if (command.includes('postgres') && command.includes(cluster))
    throw new StartError(
      `A Postgres server (process ${pid}) is still running on ${cluster}. Stop it first: kill -INT ${pid}.`,
    )
  await writeFile(file, [neverAlive, ...rest].join('\n'))
}

/** The command line of a living process. */
function commandOf(pid: number): string | undefined {
  // Slim Linux images come without ps.
  if (existsSync('/proc/self/cmdline')) {
    const file = `/proc/${pid}/cmdline`
    return existsSync(file) ? readFileSync(file, 'utf8').replaceAll('\0', ' ') : undefined
  }
  const { status, stdout } = spawnSync('ps', ['-o', 'args=', '-p', `${pid}`], { encoding: 'utf8' })
  return status === 0 && stdout.trim() !== '' ? stdout : undefined
}
