import { spawn } from 'node:child_process'
import { glob, mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { StartError } from '../embedded/start-error.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
/** Written last by a build. */
const newest = 'artifacts/contracts/Vault.sol/Vault.json'

const lockFile = `${root}cache/build.lock`
const lookEveryMillis = 200
/** Longer than any build: a process id may belong to something else by then. */
const holdMillisMax = 900_000

/** Compiles the contracts if a source is newer than what was compiled last; one process at a time, the others wait for it. */
export async function build(): Promise<void> {
  while (!(await isFresh())) {
    if (!(await lock())) {
      await sleep(lookEveryMillis)
      continue
    }
    try {
      if (!(await isFresh())) await compile()
      // The compiler writes nothing where nothing but a date has changed.
      await utimes(`${root}${newest}`, new Date(), new Date())
    } finally {
      await rm(lockFile, { force: true })
    }
  }
}

/** False while another process has it; that of a process that died is taken away. */
async function lock(): Promise<boolean> {
  await mkdir(dirname(lockFile), { recursive: true })
  try {
    await writeFile(lockFile, `${process.pid}`, { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const holder = Number(await readFile(lockFile, 'utf8').catch(() => ''))
    const since = (await stat(lockFile).catch(() => undefined))?.mtimeMs ?? Date.now()
    const isLeft = (holder > 0 && !isAlive(holder)) || Date.now() - since > holdMillisMax
    if (isLeft) await rm(lockFile, { force: true })
    return false
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function compile(): Promise<void> {
  const hardhat = spawn(process.execPath, ['node_modules/.bin/hardhat', 'build', '--no-tests'], {
    cwd: root,
    env: { ...process.env, HARDHAT_DISABLE_TELEMETRY: 'true' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output: Buffer[] = []
  for (const stream of [hardhat.stdout, hardhat.stderr]) stream.on('data', (chunk: Buffer) => output.push(chunk))
  const code = await new Promise<number | null>((resolve, reject) =>
    hardhat.once('error', reject).once('close', resolve),
  )
  if (code !== 0) throw new StartError(`The contracts could not be compiled:\n${Buffer.concat(output)}`)
}

async function isFresh(): Promise<boolean> {
  const built = await stat(`${root}${newest}`).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (built === undefined) return false
  for await (const source of glob(['contracts/**/*.sol', 'hardhat.config.ts', 'package-lock.json'], { cwd: root })) {
    if ((await stat(`${root}${source}`)).mtimeMs > built.mtimeMs) return false
  }
  return true
}
