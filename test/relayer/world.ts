import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import {
  type Address,
  createTestClient,
  encodeFunctionData,
  type Hex,
  http,
  parseAbi,
  publicActions,
  walletActions,
} from 'viem'
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts'
import { anvil } from 'viem/chains'
import { afterAll } from 'vitest'
import { createArweaveStore } from '../../adapters/arweave/store.ts'
import { parseWallet } from '../../adapters/arweave/transaction.ts'
import { createAcknowledger } from '../../adapters/evm/acknowledger.ts'
import { connectChain } from '../../adapters/evm/chain.ts'
import { signTransaction } from '../../adapters/evm/transaction.ts'
import { openBlockStore } from '../../adapters/ipfs/block-store.ts'
import { createAccounts } from '../../adapters/postgres/accounts.ts'
import { createArchive } from '../../adapters/postgres/archive.ts'
import { createAudit } from '../../adapters/postgres/audit.ts'
import { createBatching } from '../../adapters/postgres/batching.ts'
import { newId } from '../../adapters/postgres/codec.ts'
import { createConfirmation } from '../../adapters/postgres/confirmation.ts'
import { createFinalization } from '../../adapters/postgres/finalization.ts'
import { createIntake } from '../../adapters/postgres/intake.ts'
import { createIntents } from '../../adapters/postgres/intents.ts'
import { createLanes } from '../../adapters/postgres/lanes.ts'
import { createReconciliation } from '../../adapters/postgres/reconciliation.ts'
import { localSigner } from '../../adapters/signer/local.ts'
import type { Candidate } from '../../core/admit.ts'
import { type ChainConfig, configSchema, contractsOf, findToken, tokenDomainOf } from '../../core/config.ts'
import type { IntentState } from '../../core/intent.ts'
import { type ArchiveStore, StoreUnavailableError } from '../../core/ports/archive-store.ts'
import type { Clock } from '../../core/ports/clock.ts'
import { settleCalldata } from '../../core/protocol/settle-calldata.ts'
import { signablePayment, signablePermit } from '../../core/protocol/signable.ts'
import { parseSignature } from '../../core/protocol/signature.ts'
import { intentDigest, type Mode, type Taking } from '../../core/protocol/taking.ts'
import { domainOf, domainSeparator, type Payment, zeroOrderRef } from '../../core/protocol/typed-data.ts'
import { vaultAbi } from '../../core/protocol/vault-abi.ts'
import { pack } from '../../relayer/draft.ts'
import { pipeline } from '../../relayer/pipeline.ts'
import type { StageContext } from '../../relayer/stage.ts'
import type { LocalArweave } from '../../scripts/embedded/arweave.ts'
import { startAnvil } from '../../scripts/embedded/chain-anvil.ts'
import { localAccounts, privateKeyOf } from '../../scripts/local/accounts.ts'
import { build } from '../../scripts/local/build.ts'
import { deploy } from '../../scripts/local/deploy.ts'
import { freshDatabase } from '../ports/postgres-server.ts'

/** Final two blocks below the head: deep enough to reorg a block that is not final. */
const depth = 2

/**
 * The real stages on a real Postgres and a real anvil whose blocks are mined by the test, so that every step can be
 * looked at. Time is the machine's unless the test moves it.
 */
export async function createWorld({
  lane = {},
  batch = {},
  isPull = false,
  olderBlocks = 0,
  archives,
}: {
  lane?: object
  batch?: object
  /** The stages work for the pull settler instead of the vault. */
  isPull?: boolean
  /** Blocks that the books follow from before the contracts were deployed. */
  olderBlocks?: number
  /** A local Arweave to archive on; without one its stage cannot run. */
  archives?: { readonly arweave: LocalArweave }
} = {}) {
  await build()
  const node = await startAnvil({ blockSeconds: 1 })
  afterAll(node.stop)
  const client = createTestClient({ mode: 'anvil', chain: anvil, transport: http(node.rpcUrl), cacheTime: 0 })
    .extend(publicActions)
    .extend(walletActions)
  if (olderBlocks > 0) await client.mine({ blocks: olderBlocks })
  const deployment = await deploy(node)
  await client.setIntervalMining({ interval: 0 })

  const [token] = deployment.tokens
  if (token === undefined) throw new Error('no token')
  const [chainConfig] = configSchema.parse({
    chains: [
      {
        ...{ chainId: node.chainId, name: 'anvil', rpcUrls: [node.rpcUrl], vault: deployment.vault },
        pullSettler: deployment.pullSettler,
        ...{ relayerId: deployment.relayerId, startBlock: deployment.startBlock - olderBlocks, blockSeconds: 1 },
        finality: { rule: 'depth', depth },
        tokens: [{ ...token, amountMin: '1', amountMax: '1000000000', holdAbove: '100000000' }],
        batch: { ageMillisMax: 1, ...batch },
        lane,
      },
    ],
  }).chains as readonly ChainConfig[]
  if (chainConfig === undefined) throw new Error('no chain')
  const config = contractsOf(chainConfig)[isPull ? 1 : 0] ?? chainConfig

  const { database } = await freshDatabase()
  const clock: Clock = { nowMillis: () => Date.now() }
  const log = { debug: silent, info: silent, warn: silent, error: silent }
  const authority = localSigner(privateKeyOf(localAccounts.acknowledger))
  const acknowledger = await createAcknowledger({
    authorities: new Map([[config.chainId, { authority, relayerId: config.relayerId, vault: deployment.vault }]]),
    newKey: () => localSigner(generatePrivateKey()),
    clock,
    log,
  })
  afterAll(acknowledger.stop)
  const accounts = createAccounts(database)
  const intents = createIntents({ database, acknowledger, newId })
  const intake = createIntake({ database, acknowledger, newId })
  const context: StageContext = {
    config,
    chain: connectChain({ ...config, log }),
    signers: localAccounts.lanes.slice(0, 1).map((account) => {
      const signer = localSigner(privateKeyOf(account))
      return {
        address: signer.address,
        isRetiring: false,
        sign: async ({ accountNonce, gasLimit, ...rest }) => {
          const { raw, hash } = await signTransaction({ ...rest, signer, nonce: accountNonce, gas: gasLimit })
          return { rawTx: raw, hash }
        },
      }
    }),
    batching: createBatching(database),
    lanes: createLanes(database),
    confirmation: createConfirmation(database),
    finalization: createFinalization(database),
    audit: createAudit(database),
    archive: createArchive(database),
    stores: await openStores(archives),
    reconciliation: createReconciliation(database),
    clock,
    log,
    holder: 'this test',
    newId,
  }

  const stateOf = async (id: string): Promise<IntentState | undefined> => (await intents.find(id))?.state
  const mine = (blocks = 1): Promise<void> => client.mine({ blocks })
  /** Runs a stage as often as it asks to be run again at once. */
  const run = async (...stages: (keyof typeof pipeline)[]): Promise<void> => {
    for (const stage of stages) {
      for (let times = 0; times < 20; times++) {
        const next = await pipeline[stage](context)
        if (!next.some((each) => each.stage === stage && each.delayMillis === undefined)) break
      }
    }
  }
  /** Mines until what is on chain now is final, and tells the books. */
  const settleDown = async (): Promise<void> => {
    await mine(depth + 1)
    await run('confirm', 'finalize')
  }
  const send = async (
    account: PrivateKeyAccount | (typeof localAccounts)['owner'],
    to: Address,
    data: Hex,
  ): Promise<Hex> => client.sendTransaction({ account, to, data, gas: 1_000_000n, chain: anvil })
  const onVault = (
    account: PrivateKeyAccount | (typeof localAccounts)['owner'],
    functionName: string,
    args: readonly unknown[],
  ) =>
    send(
      account,
      config.vault,
      encodeFunctionData({ abi: vaultAbi, functionName, args } as Parameters<typeof encodeFunctionData>[0]),
    )

  /** A fresh wallet with `deposit` in the vault, or allowed to the pull settler, final and in the books. */
  const payerWith = async (deposit: bigint, mode: Mode = 'independent'): Promise<PrivateKeyAccount> => {
    const account = privateKeyToAccount(generatePrivateKey())
    await client.setBalance({ address: account.address, value: 10n ** 18n })
    const erc20 = parseAbi([
      'function mint(address to, uint256 amount)',
      'function approve(address spender, uint256 amount)',
    ])
    await send(
      localAccounts.owner,
      token.address,
      encodeFunctionData({ abi: erc20, functionName: 'mint', args: [account.address, deposit] }),
    )
    await mine()
    await send(
      account,
      token.address,
      encodeFunctionData({ abi: erc20, functionName: 'approve', args: [config.vault, deposit] }),
    )
    await mine()
    const depositing = { independent: 'deposit', chained: 'depositChained', pull: undefined }[mode]
    if (depositing !== undefined) await onVault(account, depositing, [token.address, deposit, config.relayerId])
    await settleDown()
    await introduce(account.address, mode)
    return account
  }
  const introduce = async (payer: Address, mode: Mode): Promise<void> => {
    const view = await accounts.view(config.chainId, config.vault)
    if (view === undefined) throw new Error('the chain has not been seen')
    const [state] = await context.chain.accounts({ mode, token: token.address }, [payer], view.finalizedHash)
    if (state === undefined) throw new Error('no account')
    await accounts.introduce(
      { chainId: config.chainId, vault: config.vault, payer, token: token.address, mode },
      state,
      view.finalizedNumber,
    )
  }

  const separator = domainSeparator(domainOf(config))
  const sign = async (
    payer: PrivateKeyAccount,
    fields: Partial<Payment> = {},
    taking: Taking = { mode: 'independent' },
  ) => {
    const payment: Payment = {
      payer: payer.address,
      payee: localAccounts.merchants[0]?.address ?? config.vault,
      token: token.address,
      amount: 1_000_000n,
      nonce: 0n,
      deadline: BigInt(Math.floor(clock.nowMillis() / 1000) + 4 * 3600),
      orderRef: zeroOrderRef,
      ...fields,
    }
    const listed = findToken(config, token.address)
    if (listed === undefined) throw new Error('the token is not listed')
    const { digest } = signablePayment(domainOf(config), payment, taking, tokenDomainOf(config, listed))
    const signature = await payer.sign({ hash: digest })
    return { payment, taking, signature, digest: intentDigest(separator, payment, taking) }
  }
  const candidateOf = async (
    payer: PrivateKeyAccount,
    fields: Partial<Payment> = {},
    how: Taking = { mode: 'independent' },
  ): Promise<Candidate> => {
    const { payment, taking, signature, digest } = await sign(payer, fields, how)
    const parsed = parseSignature(signature)
    const listed = findToken(config, token.address)
    if (parsed.outcome !== 'ok' || listed === undefined) throw new Error('a test signs well')
    return {
      id: newId('pi'),
      appId: 'app-a',
      chain: config,
      token: listed,
      payment,
      taking,
      digest,
      signature: parsed.compact,
      orderId: undefined,
    }
  }
  /** For the settler to take `value` of the payer's tokens. */
  const permitOf = async (payer: PrivateKeyAccount, { value, nonce }: { value: bigint; nonce: bigint }) => {
    const found = findToken(config, token.address)
    const domain = found === undefined ? undefined : tokenDomainOf(config, found, 'permit')
    if (domain === undefined) throw new Error('the token takes no permits')
    const deadline = BigInt(nowSeconds() + 4 * 3600)
    const terms = { owner: payer.address, value, deadline }
    const { digest } = signablePermit(domain, { ...terms, spender: config.vault, nonce })
    const parsed = parseSignature(await payer.sign({ hash: digest }))
    if (parsed.outcome !== 'ok') throw new Error('a test signs well')
    return { ...terms, signature: parsed.compact }
  }
  const nowSeconds = (): number => Math.floor(clock.nowMillis() / 1000)
  /** Signs and admits a payment; throws unless it was taken. Returns what accept answered, too. */
  const pay = async (payer: PrivateKeyAccount, fields: Partial<Payment> = {}, taking?: Taking) => {
    const candidate = await candidateOf(payer, fields, taking)
    const [admitted] = await intake.admit([candidate], Math.floor(clock.nowMillis() / 1000))
    if (admitted === undefined || admitted.outcome === 'refused' || admitted.outcome === 'known') {
      throw new Error(`not taken: ${JSON.stringify(admitted)}`)
    }
    return { id: candidate.id, candidate, admitted }
  }

  /** By another sender of the same relayer, past our books; in the next block. */
  const settleDirectly = async (candidates: readonly Candidate[], other = localAccounts.lanes[1]): Promise<void> => {
    const [first] = candidates
    if (first === undefined || other === undefined) throw new Error('no payment or no second lane')
    const payments = candidates.map(({ id, payment, taking, signature }) => ({ id, ...payment, taking, signature }))
    const { mode } = first.taking
    const anchor: Hex = `0x${'00'.repeat(32)}`
    const { payload } = pack({ token: token.address, mode, anchor, payments, cancels: [] }, first.token.scale)
    await send(other, config.vault, settleCalldata(payload))
  }

  /** By a relayer of another id, which the vault lists as well. */
  const settleAsAnother = async (candidates: readonly Candidate[]): Promise<void> => {
    const other = localAccounts.owner
    const args = [other.address, config.relayerId + 1] as const
    await send(other, deployment.vault, encodeFunctionData({ abi: vaultAbi, functionName: 'addRelayer', args }))
    await mine()
    await settleDirectly(candidates, other)
  }

  return {
    ...{ node, client, config, context, database, accounts, intents, intake, token, deployment, clock },
    ...{
      run,
      mine,
      settleDown,
      payerWith,
      sign,
      candidateOf,
      permitOf,
      nowSeconds,
      pay,
      stateOf,
      send,
      onVault,
      settleDirectly,
      settleAsAnother,
    },
    /** Two payments on their way in one batch that the node holds, not mined. */
    submitted: async (payer: PrivateKeyAccount) => {
      const payments = [await pay(payer, { nonce: 0n }), await pay(payer, { nonce: 1n })]
      await run('batch', 'submit')
      return payments.map(({ id }) => id)
    },
    accountOf: (payer: Address, mode: Mode = 'independent') =>
      accounts.find({ chainId: config.chainId, vault: config.vault, payer, token: token.address, mode }),
    onChain: async (payer: Address) =>
      client.readContract({
        address: config.vault,
        abi: vaultAbi,
        functionName: 'accountOf',
        args: [payer, token.address],
      }),
    /** Reconciles what is final. What was compared, and what was found. */
    reconciled: async () => {
      await run('record', 'reconcile')
      const breaks = await sql`select kind, subject, expected, actual from reconciliation_break`.execute(database)
      const last = await sql<{ to: number; settled: number }>`
        select max(to_block) as to, sum((totals->0->'chain'->>'settledCount')::int) as settled from reconciliation`.execute(
        database,
      )
      const [found] = last.rows
      return { breaks: breaks.rows, settledCount: Number(found?.settled ?? 0) }
    },
    batches: async () => {
      const found = await sql<{
        id: string
        state: string
        payment_count: number
      }>`select id, state, payment_count from batch order by id`.execute(database)
      return found.rows
    },
    ledger: async () => {
      const found = await sql<{ account: string; total: string }>`
        select account, sum(amount) as total from ledger_posting where kind not in ('pending', 'voided') group by account`.execute(
        database,
      )
      return new Map(found.rows.map(({ account, total }) => [account, BigInt(total)]))
    },
    /** Makes attempts look older than they are, by the clock that stamped them. */
    age: async (seconds: number) => {
      await sql`update attempt set created_at = created_at - ${seconds} * interval '1 second', sent_at = sent_at - ${seconds} * interval '1 second'`.execute(
        database,
      )
    },
    ageBatches: async (seconds: number) => {
      await sql`update batch set created_at = created_at - ${seconds} * interval '1 second'`.execute(database)
    },
    attempts: async () => {
      const found = await sql<{ account_nonce: number; state: string; max_fee_per_gas_wei: string }>`
        select account_nonce, state, max_fee_per_gas_wei from attempt order by id`.execute(database)
      return found.rows
    },
  }
}

async function openStores(archives: { readonly arweave: LocalArweave } | undefined): Promise<StageContext['stores']> {
  const directory = await mkdtemp(join(tmpdir(), 'ice-test-ipfs-'))
  afterAll(() => rm(directory, { recursive: true, force: true }))
  return {
    ipfs: await openBlockStore(directory),
    arweave: archives === undefined ? storeOfNobody : await arweaveStore(archives.arweave),
  }
}

const nobody = async (): Promise<never> => {
  throw new StoreUnavailableError('arweave', 'this world has no Arweave')
}
const storeOfNobody: ArchiveStore = {
  ...{ name: 'arweave', lookEveryMillis: 50 },
  ...{ seal: nobody, put: nobody, keeping: nobody, read: nobody },
}

async function arweaveStore({ url, keyFile }: LocalArweave): Promise<ArchiveStore> {
  return createArweaveStore({
    gatewayUrl: url,
    wallet: parseWallet(await readFile(keyFile, 'utf8')),
    ...{ confirmationsMin: 1, rewardWinstonMax: 10n ** 12n, timeoutMillisMax: 8_000, lookEveryMillis: 50 },
  })
}

function silent(): void {
  // A test that fails says why itself.
}
