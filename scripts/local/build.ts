import { spawn } from 'node:child_process'
import { glob, stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { StartError } from '../embedded/start-error.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
/** Written last by a build. */
const newest = 'artifacts/contracts/Vault.sol/Vault.json'

/** Compiles the contracts if a source is newer than what was compiled last. */
export async function build(): Promise<void> {
  if (await isFresh()) return
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
