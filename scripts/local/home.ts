import { randomBytes } from 'node:crypto'
import { access, chmod, constants, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { StartError } from '../embedded/start-error.ts'
import type { Deployment } from './deploy.ts'

/** Where one local system lives: the database, the chain, its keys. */
export type Home = {
  readonly path: string
  readonly isKept: boolean
  /** What an earlier start left in a kept folder. */
  readonly earlier: Memory | undefined
  readonly remember: (memory: Memory) => Promise<void>
  /** Deletes a folder that is not kept. */
  readonly leave: () => Promise<void>
}

/** What a restart needs to find the same system again. */
export type Memory = {
  readonly chain: 'hardhat' | 'anvil'
  readonly deployment: Deployment
  readonly secrets: {
    readonly wallet: string
    readonly merchant: string
    readonly operator: string
    /** 32 bytes in hex, from which the system derives its own secrets. */
    readonly key: `0x${string}`
  }
}

export async function openHome(data: string | undefined): Promise<Home> {
  const path = data === undefined ? await mkdtemp(join(tmpdir(), 'ice-')) : await makeWritable(resolve(data))
  // Postgres may have to run as another user, who must be able to enter: what is secret in it has modes of its own.
  if (data === undefined) await chmod(path, 0o755)
  const file = join(path, 'system.json')
  return {
    path,
    isKept: data !== undefined,
    earlier: await readMemory(file),
    remember: (memory) => writeFile(file, JSON.stringify(memory, null, 2), { mode: 0o600 }),
    leave: async () => {
      if (data === undefined) await rm(path, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}

export function newSecrets(): Memory['secrets'] {
  const secret = (): string => randomBytes(32).toString('base64url')
  return { wallet: secret(), merchant: secret(), operator: secret(), key: `0x${randomBytes(32).toString('hex')}` }
}

async function makeWritable(path: string): Promise<string> {
  try {
    await mkdir(path, { recursive: true })
    await access(path, constants.W_OK)
    return path
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new StartError(
      `The folder ${path} cannot be written (${code}). Choose another one with --data, or leave --data away.`,
    )
  }
}

async function readMemory(file: string): Promise<Memory | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new StartError(`${file} cannot be read. Move the folder away to start afresh.`)
  }
}
