import { type ChildProcess, fork } from 'node:child_process'
import { generateKeyPair } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sql } from 'kysely'
import { type Address, createTestClient, http, publicActions, walletActions } from 'viem'
import { anvil } from 'viem/chains'
import { afterAll } from 'vitest'
import { bytes, newId, uuidOfOwn } from '../../adapters/postgres/codec.ts'
import { connectDatabase } from '../../adapters/postgres/database.ts'
import { migrate } from '../../adapters/postgres/migrate.ts'
import { vaultAbi } from '../../core/protocol/vault-abi.ts'
import { startAnvil } from '../../scripts/embedded/chain-anvil.ts'
import { localAccounts } from '../../scripts/local/accounts.ts'
import { build } from '../../scripts/local/build.ts'
import { deploy } from '../../scripts/local/deploy.ts'
import { startTemporaryPostgres } from '../ports/postgres-server.ts'

const entryOf = (part: 'api' | 'relayer'): string => new URL(`../../${part}/main.ts`, import.meta.url).pathname

/** No development chain, so that a local key is warned of. */
const chainId = 31_338

/** What the real API and relayer processes need around them: Postgres, anvil with a vault, a configuration file. */
export async function startSurroundings() {
  await build()
  const [postgres, node] = await Promise.all([startTemporaryPostgres(), startAnvil({ blockSeconds: 1 })])
  const directory = await mkdtemp(join(tmpdir(), 'ice-test-processes-'))
  const children: ChildProcess[] = []
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL')
    await Promise.all([postgres.stop(), node.stop()])
    await rm(directory, { recursive: true, force: true })
  })
  const { vault, relayerId, tokens } = await deploy(node)
  const chain = {
    ...{ chainId, name: 'anvil', rpcUrls: [node.rpcUrl], vault, relayerId, blockSeconds: 1, finality: { rule: 'tag' } },
    tokens: tokens.map((token) => ({ ...token, amountMin: '1', amountMax: '9', holdAbove: '9' })),
  }
  const config = join(directory, 'config.json')
  await writeFile(config, JSON.stringify({ chains: [chain] }))
  // Nothing is archived here; the relayer wants to know where it would be.
  const arweaveKeyFile = join(directory, 'arweave.json')
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2_048, publicExponent: 65_537 })
  await writeFile(arweaveKeyFile, JSON.stringify(privateKey.export({ format: 'jwk' })), { mode: 0o600 })
  const client = createTestClient({
    ...{ mode: 'anvil', chain: { ...anvil, id: chainId }, transport: http(node.rpcUrl), cacheTime: 0 },
  })
    .extend(publicActions)
    .extend(walletActions)
  // The vault was deployed under another chain id and follows it.
  await client.request({ method: 'anvil_setChainId', params: [chainId] } as never)
  const onVault = async (functionName: 'addRelayer' | 'setAcknowledger', args: readonly unknown[]): Promise<void> => {
    const call = { account: localAccounts.owner, address: vault, abi: vaultAbi, functionName, args } as const
    const hash = await client.writeContract(call as Parameters<typeof client.writeContract>[0])
    await client.waitForTransactionReceipt({ hash, pollingInterval: 100 })
  }

  return {
    directory,
    addLane: async (address: Address): Promise<void> => {
      await client.setBalance({ address, value: 10n ** 18n })
      await onVault('addRelayer', [address, relayerId])
    },
    setAuthority: (address: Address) => onVault('setAcknowledger', [relayerId, address]),
    /** An open batch without payments, bound to the signer's first account nonce. Migrates the database if no process has. */
    bindBatch: async (signer: Address): Promise<void> => {
      const database = connectDatabase({ url: postgres.url, onIdleError: () => undefined })
      const [batch, none] = [uuidOfOwn('sb', newId('sb')), Buffer.alloc(32)]
      await migrate(database)
      await sql`
        insert into batch (id, chain_id, vault, token, mode, state, anchor, payment_count, cancel_count, intent_low, intent_high,
          payload, gas_limit, is_assigned)
        values (${batch}, ${chainId}, ${bytes(vault)}, ${bytes(vault)}, 'independent', 'batched', ${none}, 0, 0, ${batch}, ${batch},
          ${none}, 1, true)`.execute(database)
      await sql`
        insert into account_nonce (chain_id, signer, nonce, batch_id)
        values (${chainId}, ${bytes(signer)}, 0, ${batch})`.execute(database)
      await database.destroy()
    },
    /** `said`: all that the process printed. `ready`: what it tells its supervisor. */
    start: (part: 'api' | 'relayer', changes: Readonly<Record<string, string>>) => {
      const child = fork(entryOf(part), {
        env: {
          ...{ PATH: process.env.PATH ?? '', DATABASE_URL: postgres.url, ICE_CONFIG: config, PORT: '0' },
          ...{ IPFS_DIRECTORY: join(directory, 'ipfs'), ARWEAVE_GATEWAY_URL: 'http://127.0.0.1:1' },
          ...{ ARWEAVE_KEY_FILE: arweaveKeyFile, LOG_LEVEL: 'debug', SECRET_KEYS: `0x${'5e'.repeat(32)}`, ...changes },
        },
        silent: true,
      })
      children.push(child)
      let said = ''
      for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (said += chunk))
      const ended = once(child, 'close').then(([code]) => code as number | null)
      const ready = Promise.race([
        once(child, 'message').then(([message]) => (message as { ready: Readonly<Record<string, unknown>> }).ready),
        ended.then((code) => Promise.reject(new Error(`ended with ${code}: ${said}`))),
      ])
      // Who waits for the end does not wait for this.
      ready.catch(() => undefined)
      return { child, ended, ready, said: () => said }
    },
  }
}
