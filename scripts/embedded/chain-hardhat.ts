import { fileURLToPath } from 'node:url'
import type { Chain } from './chain-anvil.ts'
import { startNode } from './child.ts'
import type { HardhatNodeOptions } from './hardhat-node.ts'
import { assertPortFree } from './port.ts'

const entry = fileURLToPath(new URL('hardhat-node.ts', import.meta.url))

/**
 * Starts a Hardhat node: the test mnemonic's first 40 accounts funded, a block per interval and never one per tx.
 *
 * With `journalFile` the chain comes back as it was, hash for hash. A block is on disk before a client can ask for it;
 * txs that wait in the pool are lost with the process, as on any node.
 */
export async function startHardhat({
  port,
  blockSeconds,
  journalFile,
  chainId = 31337,
  onLine,
}: {
  readonly port?: number
  /** May be a fraction; blocks then share timestamps. */
  readonly blockSeconds: number
  /** Where the chain survives a restart; in memory only if absent. For one running node at a time. */
  readonly journalFile?: string
  readonly chainId?: number
  readonly onLine?: (line: string) => void
}): Promise<Chain> {
  if (port !== undefined)
    await assertPortFree(port, '127.0.0.1', { remedy: 'Stop it, or choose another port for the chain.' })
  const options: HardhatNodeOptions = {
    port: port ?? 0,
    ...{ blockSeconds, chainId },
    hardfork: 'osaka',
    blockGasLimit: 60_000_000,
    accounts: 40,
    ...(journalFile === undefined ? {} : { journalFile }),
  }
  const { ready, ...child } = await startNode<{ readonly rpcUrl: string }>({
    entry,
    name: 'The Hardhat node',
    args: [JSON.stringify(options)],
    env: { ...process.env, HARDHAT_DISABLE_TELEMETRY: 'true' },
    // A long journal takes its time: about 0.1 s for a thousand blocks.
    readyWithinSeconds: 600,
    ...(onLine ? { onLine } : {}),
  })
  return { ...child, rpcUrl: ready.rpcUrl, chainId }
}
