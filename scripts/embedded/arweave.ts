import { generateKeyPair } from 'node:crypto'
import { access, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import Arweave from 'arweave'
import { type Child, startNode } from './child.ts'
import { freePort } from './port.ts'

/** A local Arweave network of one node. It takes a tx into a block by itself and knows one wallet with money. */
export type LocalArweave = Pick<Child, 'stop' | 'exited' | 'lastLines'> & {
  readonly url: string
  /** JWK of the wallet. */
  readonly keyFile: string
}

const arweaveKeyBits = 4_096
/** 1,000 AR, in winston. */
const endowment = 1_000_000_000_000_000n

/** @param directory of blocks, data and key; made if it is missing, and found again by the next start */
export async function startArweave({
  directory,
  blockMillis = 200,
}: {
  readonly directory: string
  readonly blockMillis?: number
}): Promise<LocalArweave> {
  const keyFile = join(directory, 'key.json')
  await mkdir(directory, { recursive: true })
  if (!(await exists(keyFile))) await writeFile(keyFile, JSON.stringify(await newKey()), { mode: 0o600 })

  const port = await freePort()
  const child = await startNode<{ readonly url: string }>({
    entry: fileURLToPath(new URL('arlocal.ts', import.meta.url)),
    name: 'The local Arweave node',
    args: [`${port}`, join(directory, 'arlocal'), `${blockMillis}`],
  })
  const { url } = child.ready
  try {
    const address = await Arweave.init({}).wallets.jwkToAddress(JSON.parse(await readFile(keyFile, 'utf8')))
    const minted = await fetch(`${url}/mint/${address}/${endowment}`)
    if (!minted.ok) throw new Error(`The local Arweave node did not mint: ${minted.status} ${await minted.text()}`)
  } catch (error) {
    await child.stop()
    throw error
  }
  return { url, keyFile, stop: child.stop, exited: child.exited, lastLines: child.lastLines }
}

async function newKey(): Promise<object> {
  const options = { modulusLength: arweaveKeyBits, publicExponent: 65_537 }
  const { privateKey } = await promisify(generateKeyPair)('rsa', options)
  return privateKey.export({ format: 'jwk' })
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
