import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { StartError } from '../embedded/start-error.ts'

/** Compiles the contracts if they changed. */
export async function build(): Promise<void> {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  const hardhat = spawn(process.execPath, ['node_modules/.bin/hardhat', 'build', '--no-tests'], {
    cwd: root,
    env: { ...process.env, HARDHAT_DISABLE_TELEMETRY: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output: Buffer[] = []
  for (const stream of [hardhat.stdout, hardhat.stderr]) stream.on('data', (chunk: Buffer) => output.push(chunk))
  const code = await new Promise<number | null>((resolve, reject) =>
    hardhat.once('error', reject).once('close', resolve),
  )
  if (code !== 0) throw new StartError(`The contracts could not be compiled:\n${Buffer.concat(output)}`)
}
