import { type FileHandle, open } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { type Child, startProgram } from './child.ts'
import { assertPortFree, freePort } from './port.ts'
import { StartError } from './start-error.ts'

/** A chain that listens on 127.0.0.1. */
export type Chain = Child & { readonly rpcUrl: string; readonly chainId: number }

/** How often the running node writes its state file. A killed node loses what came after the last write. */
const stateIntervalSeconds = 5

/**
 * Starts Foundry's anvil: the test mnemonic's first 40 accounts funded, interval mining, Ethereum's own limits on
 * what one block (60M gas) and one tx (2²⁴ gas, EIP-7825) may use.
 *
 * The state file is rewritten whole every few seconds and holds the whole state once per block: 1 MB after fifty blocks,
 * 740 MB and 14 s to write after three thousand. Fit for a test; a chain that is to last is a Hardhat one.
 */
export async function startAnvil({
  port,
  stateFile,
  blockSeconds,
  slotsInEpoch = 1,
  chainId = 31337,
  hardfork = 'osaka',
}: {
  readonly port?: number
  /** Where the chain survives a restart; in memory only if absent. */
  readonly stateFile?: string
  /** May be a fraction. */
  readonly blockSeconds: number
  /** `safe` lags by one epoch and `finalized` by two. */
  readonly slotsInEpoch?: number
  readonly chainId?: number
  readonly hardfork?: string
}): Promise<Chain> {
  const host = '127.0.0.1'
  if (port !== undefined) await assertPortFree(port, host, { remedy: 'Stop it, or choose another port for the chain.' })
  if (stateFile !== undefined) await assertStateComplete(stateFile)

  const chosen = port ?? (await freePort())
  const rpcUrl = `http://${host}:${chosen}`
  const state = stateFile
    ? ['--state', stateFile, '--state-interval', `${stateIntervalSeconds}`, '--preserve-historical-states']
    : []
  const { ANVIL_IP_ADDR: _, ...env } = process.env
  const child = await startProgram({
    command: anvilBinary(),
    // A long chain takes its time to be written, and cutting that short would lose it.
    graceSeconds: 30,
    env,
    args: [
      ...['--quiet', '--host', host, '--port', `${chosen}`, '--chain-id', `${chainId}`, '--hardfork', hardfork],
      ...['--accounts', '40', '--block-time', `${blockSeconds}`, '--slots-in-an-epoch', `${slotsInEpoch}`],
      ...['--gas-limit', '60000000', '--enable-tx-gas-limit', ...state],
    ],
  })

  let gone = false
  child.exited.then(() => {
    gone = true
  })
  const deadline = Date.now() + 60_000
  while (!(await answers(rpcUrl))) {
    if (gone) throw new StartError(`anvil stopped while starting. Its last lines:\n${child.lastLines()}`)
    if (Date.now() > deadline) {
      await child.stop()
      throw new StartError('anvil did not answer within 60 s. Start again, and free memory if the machine is busy.')
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return { ...child, rpcUrl, chainId }
}

/** The program in anvil's platform package: `anvil` on the PATH may be any version. */
function anvilBinary(): string {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch
  const binary = process.platform === 'win32' ? 'anvil.exe' : 'anvil'
  const name = `@foundry-rs/anvil-${process.platform}-${arch}`
  try {
    const fromAnvil = createRequire(createRequire(import.meta.url).resolve('@foundry-rs/anvil/package.json'))
    return join(dirname(fromAnvil.resolve(`${name}/package.json`)), 'bin', binary)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error
    throw new StartError(
      `The npm package ${name} is missing. Run npm install, and use the Hardhat chain if it stays so.`,
    )
  }
}

/**
 * anvil overwrites its state file in place, so that a kill in that moment leaves half a file behind. Its last byte
 * tells: the file is one JSON object, and may be too long for a string.
 */
async function assertStateComplete(stateFile: string): Promise<void> {
  let file: FileHandle
  try {
    file = await open(stateFile)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  try {
    const { size } = await file.stat()
    const { buffer, bytesRead } = await file.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1))
    if (bytesRead === 1 && buffer.toString() === '}') return
  } finally {
    await file.close()
  }
  throw new StartError(
    `The chain's state file ${stateFile} is incomplete, because anvil was killed while writing it. Delete it to begin a new chain.`,
  )
}

async function answers(rpcUrl: string): Promise<boolean> {
  try {
    const response = await fetch(rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] }),
    })
    return response.ok
  } catch {
    return false
  }
}
