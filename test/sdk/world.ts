import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { sql } from 'kysely'
import { type Address, erc20Abi, getContractAddress, type Hex, type LocalAccount, parseAbi } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import { afterAll } from 'vitest'
import { connectChain } from '../../adapters/evm/chain.ts'
import { createBatching } from '../../adapters/postgres/batching.ts'
import { bytes, newId, uuidOfOwn } from '../../adapters/postgres/codec.ts'
import { createApp } from '../../api/app.ts'
import { listen } from '../../api/server.ts'
import { configSchema, contractKey, contractsOf } from '../../core/config.ts'
import { zeroHash } from '../../core/protocol/typed-data.ts'
import { vaultAbi } from '../../core/protocol/vault-abi.ts'
import { localAccounts } from '../../scripts/local/accounts.ts'
import { localWallet } from '../../scripts/local/deploy.ts'
import { createClient } from '../../sdk/client.ts'
import type { Terms } from '../../sdk/intent.ts'
import type { Provider } from '../../sdk/signing.ts'
import { createWorld as createApiWorld } from '../api/world.ts'

type Fetch = (request: Request) => Response | Promise<Response>

/** Answers on a port of its own until the file is done. */
export async function serve(fetch: Fetch): Promise<{ readonly url: string; readonly server: Server }> {
  const server = await new Promise<Server>((resolve) => {
    const listening = listen({ fetch, host: '127.0.0.1', port: 0, onListening: () => resolve(listening) })
  })
  afterAll(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}

/** The wallet of one account as a page sees it; signs for real, and keeps what it was asked. */
function walletOf(account: LocalAccount, { chainId, rpcUrl }: { chainId: number; rpcUrl: string }) {
  const signed: string[] = []
  const provider: Provider = {
    request: async ({ method, params = [] }) => {
      if (method === 'eth_requestAccounts') return [account.address]
      if (method === 'eth_chainId') return `0x${chainId.toString(16)}`
      if (method === 'eth_signTypedData_v4') {
        const typedData = JSON.parse(params[1] as string)
        signed.push(typedData.primaryType)
        return account.signTypedData(typedData)
      }
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
      const response = await fetch(rpcUrl, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
      const { result, error } = (await response.json()) as { result?: unknown; error?: unknown }
      if (error !== undefined) throw error
      return result
    },
  }
  return { provider, signed }
}

/** The world of the API tests on a port, with the pull settler that it deploys and does not configure. */
export async function createWorld({ payerCount = 1 }: { payerCount?: number } = {}) {
  const world = await createApiWorld({ payerCount })
  const { chainId, vault, token, ports, database } = world
  const [chain] = world.config.chains
  const rpcUrl = chain?.rpcUrls[0]
  if (chain === undefined || rpcUrl === undefined) throw new Error('no chain')
  // The fourth tx of the owner, see scripts/local/deploy.ts.
  const pullSettler = getContractAddress({ from: localAccounts.owner.address, nonce: 3n })
  const { name, version } = { name: 'Demo US Dollar', version: '1' }
  const tokens = chain.tokens.map((each) => ({
    ...{ address: each.address, symbol: each.symbol, decimals: each.decimals, scale: `${each.scale}` },
    ...{ amountMin: `${each.amountMin}`, amountMax: `${each.amountMax}`, holdAbove: `${each.holdAbove}` },
    ...(each.address === token.address ? { authorization: { name, version }, permit: { name, version } } : {}),
  }))
  const { relayerId, blockSeconds, finality } = chain
  const config = configSchema.parse({
    chains: [
      {
        ...{ chainId, name: 'anvil', rpcUrls: [rpcUrl], vault, pullSettler, relayerId, blockSeconds },
        ...{ startBlock: Number(chain.startBlock), finality, tokens },
      },
    ],
  })
  const pull = config.chains.flatMap(contractsOf)[1]
  if (pull === undefined) throw new Error('no pull settler in the configuration')
  const chains = new Map(ports.chains).set(contractKey(pull), connectChain({ ...pull, log: ports.log }))
  const app = createApp({ ...ports, config, chains })
  const { url } = await serve(app.fetch)

  /** What the relayer does at a block, for both contracts. */
  async function see(): Promise<void> {
    await world.see()
    await sql`
      insert into chain_view (chain_id, vault, head_number, head_hash, head_at, finalized_number, finalized_hash, finalized_at, is_paused)
      select chain_id, ${bytes(pullSettler)}, head_number, head_hash, head_at, finalized_number, finalized_hash, finalized_at, is_paused
      from chain_view where vault = ${bytes(vault)}
      on conflict (chain_id, vault) do update set head_number = excluded.head_number, head_hash = excluded.head_hash,
        head_at = excluded.head_at, finalized_number = excluded.finalized_number,
        finalized_hash = excluded.finalized_hash, finalized_at = excluded.finalized_at, observed_at = now()`.execute(
      database,
    )
  }
  await see()

  async function call(payer: PrivateKeyAccount, calls: readonly [Address, string, readonly unknown[]][]) {
    const wallet = localWallet({ rpcUrl: rpcUrl as string, account: payer as never })
    const mintAbi = parseAbi(['function mint(address to, uint256 amount)'])
    const abi = [...mintAbi, ...erc20Abi, ...vaultAbi]
    await Promise.all(calls.map(([address, functionName, args]) => wallet.call({ address, abi, functionName, args })))
    await see()
  }

  const credentials = (app: 'wallet' | 'merchant') => ({ appId: app, appSecret: `${app}-secret` })
  return {
    ...{ ...world, app, url, rpcUrl, pullSettler, see, credentials },
    clientOf: (app: 'wallet' | 'merchant', baseUrl = url) => createClient({ baseUrl, credentials: credentials(app) }),
    walletOf: (account: LocalAccount) => walletOf(account, { chainId, rpcUrl }),
    /** What the relayer does to a payment, without one. */
    settle: async (id: string): Promise<void> => {
      const batch = newId('sb')
      await createBatching(database).create({
        ...{
          id: batch,
          chainId,
          vault,
          token: token.address,
          anchor: zeroHash,
          opening: { sequence: 0n, head: zeroHash },
        },
        ...{ payload: '0x01', gasLimit: 1n, mode: 'independent', payments: [{ id, bit: 0 }], cancelIds: [] },
      })
      for (const state of ['submitted', 'included', 'finalized']) {
        await sql`
          update batch set state = ${state}, results = '\\xff', block_number = 7, tx_hash = ${bytes(`0x${'ab'.repeat(32)}`)}
          where id = ${uuidOfOwn('sb', batch)}`.execute(database)
      }
    },
    /** A payer with tokens in the wallet and nothing else. */
    minted: async (amount = 100_000_000n): Promise<PrivateKeyAccount> => {
      const payer = await world.fund()
      await call(payer, [[token.address, 'mint', [payer.address, amount]]])
      return payer
    },
    approve: (payer: PrivateKeyAccount, spender: Address, amount: bigint) =>
      call(payer, [[token.address, 'approve', [spender, amount]]]),
    depositChained: (payer: PrivateKeyAccount, amount = 50_000_000n) =>
      call(payer, [
        [token.address, 'approve', [vault, amount]],
        [vault, 'depositChained', [token.address, amount, relayerId]],
      ]),
    terms: (payer: { readonly address: Hex }, more: Partial<Terms> = {}): Terms => ({
      ...{ chainId, payer: payer.address, payee: world.payee, token: token.address, amount: 1_000_000n },
      ...more,
    }),
  }
}

export type World = Awaited<ReturnType<typeof createWorld>>
