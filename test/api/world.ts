import { createHash, randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { Address, Hex, TypedDataDefinition } from 'viem'
import { createTestClient, http } from 'viem'
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts'
import { anvil } from 'viem/chains'
import { afterAll } from 'vitest'
import { createSecrets } from '../../adapters/crypto/secrets.ts'
import { createSignatures } from '../../adapters/crypto/signatures.ts'
import { createWebhookKeys } from '../../adapters/crypto/webhook-keys.ts'
import { createAcknowledger } from '../../adapters/evm/acknowledger.ts'
import { connectChain } from '../../adapters/evm/chain.ts'
import { createMemoryRateLimit } from '../../adapters/memory/rate-limit.ts'
import { createAccounts } from '../../adapters/postgres/accounts.ts'
import { createApps } from '../../adapters/postgres/apps.ts'
import { createAuditRecords } from '../../adapters/postgres/audit-records.ts'
import { createBatches } from '../../adapters/postgres/batches.ts'
import { bytes, newId } from '../../adapters/postgres/codec.ts'
import { createEvents } from '../../adapters/postgres/events.ts'
import { createIdempotency } from '../../adapters/postgres/idempotency.ts'
import { createIntake } from '../../adapters/postgres/intake.ts'
import { createIntents } from '../../adapters/postgres/intents.ts'
import { createOrders } from '../../adapters/postgres/orders.ts'
import { createPayees } from '../../adapters/postgres/payees.ts'
import { createReconciliations } from '../../adapters/postgres/reconciliations.ts'
import { createWebhookDeliveries } from '../../adapters/postgres/webhook-deliveries.ts'
import { createWebhookEndpoints } from '../../adapters/postgres/webhook-endpoints.ts'
import { localSigner } from '../../adapters/signer/local.ts'
import { createApp } from '../../api/app.ts'
import { limitsDefault } from '../../api/limits.ts'
import type { ApiPorts } from '../../api/ports.ts'
import type { IntentJson } from '../../api/schemas/intent.ts'
import { configSchema, contractKey, contractsOf } from '../../core/config.ts'
import type { Chain } from '../../core/ports/chain.ts'
import { startAnvil } from '../../scripts/embedded/chain-anvil.ts'
import { localAccounts, privateKeyOf } from '../../scripts/local/accounts.ts'
import { build } from '../../scripts/local/build.ts'
import { deploy } from '../../scripts/local/deploy.ts'
import { freshDatabase } from '../ports/postgres-server.ts'
import { walletsOn } from './wallets.ts'

export type Answer = { readonly status: number; readonly headers: Headers; readonly body: Body }
// biome-ignore lint/suspicious/noExplicitAny: a test reads whatever came back
type Body = any
type AppName = 'wallet' | 'merchant' | 'operator'
type Sent = { readonly as?: AppName; readonly key?: string; readonly headers?: Record<string, string> }

export const holdAbove = 50_000_000n
const secrets: Record<AppName, string> = { wallet: 'wallet-secret', merchant: 'merchant-secret', operator: 'op-secret' }

/** The real API on a real Postgres and a real vault on anvil. The relayer is another process: its view is written here. */
export async function createWorld({
  payerCount = 2,
  isPull = false,
  ports: replaced = {},
}: {
  payerCount?: number
  /** With the pull settler beside the vault; the first token takes authorizations and permits, the second neither. */
  isPull?: boolean
  ports?: Partial<ApiPorts>
} = {}) {
  await build()
  const node = await startAnvil({ blockSeconds: 1 })
  afterAll(node.stop)
  const deployment = await deploy(node)
  const [token, long] = deployment.tokens
  if (token === undefined || long === undefined) throw new Error('no token')
  const { chainId, vault, relayerId } = deployment
  const settler = deployment.pullSettler ?? vault
  const neither = { authorization: undefined, permit: undefined }
  const chain = {
    ...(isPull ? { pullSettler: deployment.pullSettler } : {}),
    ...{ chainId, name: 'anvil', rpcUrls: [node.rpcUrl], vault, relayerId, startBlock: 0, blockSeconds: 1 },
    finality: { rule: 'depth', depth: 0 },
    tokens: [
      { ...token, amountMin: '1000', amountMax: '1000000000', holdAbove: `${holdAbove}` },
      { ...long, ...neither, amountMin: '1', amountMax: `${10n ** 24n}`, holdAbove: `${10n ** 24n}` },
    ],
  }
  const config = configSchema.parse({ chains: [chain] })

  const { database } = await freshDatabase()
  const offset = { millis: 0 }
  const clock = { nowMillis: () => Date.now() + offset.millis }
  const logged: object[] = []
  const line = (facts: object) => void logged.push(facts)
  const log = { debug: line, info: line, warn: line, error: line }
  const authority = localSigner(privateKeyOf(localAccounts.acknowledger))
  const acknowledger = await createAcknowledger({
    authorities: new Map(
      config.chains.map(({ chainId, relayerId, vault }) => [chainId, { authority, relayerId, vault }]),
    ),
    newKey: () => localSigner(generatePrivateKey()),
    clock,
  })
  afterAll(acknowledger.stop)
  const apps = createApps(database)
  for (const [name, secret] of Object.entries(secrets)) {
    const role = name === 'operator' ? 'operator' : 'app'
    await apps.put({ id: name, name, role, secretSha256: createHash('sha256').update(secret).digest() })
  }
  const woken: number[] = []
  const contracts = config.chains.flatMap(contractsOf)
  const chains = new Map(contracts.map((contract) => [contractKey(contract), connectChain({ ...contract, log })]))
  const evm = chains.get(contractKey({ chainId, vault })) as Chain
  const deploymentSecrets = createSecrets([`0x${'5e'.repeat(32)}`])
  const ports: ApiPorts = {
    ...{ config, apps, clock, log, newId, authority: authority.address },
    idempotency: createIdempotency(database),
    orders: createOrders(database),
    accounts: createAccounts(database),
    intake: createIntake({ database, acknowledger, newId }),
    intents: createIntents({ database, acknowledger, newId }),
    batches: createBatches(database),
    auditRecords: createAuditRecords(database),
    reconciliations: createReconciliations(database),
    events: createEvents(database),
    payees: createPayees(database),
    webhookEndpoints: createWebhookEndpoints(database),
    webhookDeliveries: createWebhookDeliveries(database),
    webhookKeys: createWebhookKeys(deploymentSecrets),
    allowsLoopback: false,
    chains,
    queue: { wake: async (wake) => void woken.push(wake.chainId) },
    secrets: deploymentSecrets,
    signatures: await createSignatures(),
    rateLimit: createMemoryRateLimit(),
    limits: limitsDefault,
    stopping: new AbortController().signal,
    isReady: async () => ({ notReady: {} }),
    ...replaced,
  }
  const app = createApp(ports)

  const client = createTestClient({ mode: 'anvil', chain: anvil, transport: http(node.rpcUrl), cacheTime: 0 })
  const payers = await Promise.all(Array.from({ length: payerCount }, () => fund()))
  await see()

  async function fund(): Promise<PrivateKeyAccount> {
    const account = privateKeyToAccount(generatePrivateKey())
    await client.setBalance({ address: account.address, value: 10n ** 18n })
    return account
  }

  /** What the relayer does when it sees a block: here the head is final at once. */
  async function see({ ageSeconds = 0 }: { ageSeconds?: number } = {}): Promise<void> {
    const { number, hash } = await evm.head()
    const at = Math.floor(clock.nowMillis() / 1000) - ageSeconds
    const followed = contracts.map(({ vault: contract }) => bytes(contract))
    await sql`
      insert into chain_view (chain_id, vault, head_number, head_hash, head_at, finalized_number, finalized_hash, finalized_at, is_paused)
      select ${chainId}, contract, ${number}, ${bytes(hash)}, ${at}, ${number}, ${bytes(hash)}, ${at}, false
      from unnest(${followed}::bytea[]) as contract
      on conflict (chain_id, vault) do update set head_number = excluded.head_number, head_hash = excluded.head_hash,
        head_at = excluded.head_at, finalized_number = excluded.finalized_number,
        finalized_hash = excluded.finalized_hash, finalized_at = excluded.finalized_at, observed_at = now()`.execute(
      database,
    )
  }

  async function send(
    method: string,
    path: string,
    body: string | object | undefined,
    sent: Sent = {},
  ): Promise<Answer> {
    const { as = 'wallet', key = randomUUID(), headers = {} } = sent
    const response = await app.request(path, {
      method,
      headers: {
        authorization: `Basic ${btoa(`${as}:${secrets[as]}`)}`,
        ...(method === 'POST' ? { 'idempotency-key': key } : {}),
        ...(method === 'POST' || method === 'PATCH' ? { 'content-type': 'application/json' } : {}),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.includes('json') === true
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text }
  }

  return {
    ...{
      app,
      ports,
      config,
      database,
      payers,
      token,
      long,
      chainId,
      vault,
      settler,
      evm,
      woken,
      logged,
      offset,
      see,
      fund,
      clock,
    },
    ...walletsOn(node.rpcUrl, deployment, see),
    payee: localAccounts.merchants[0]?.address as Address,
    merchants: localAccounts.merchants,
    post: (path: string, body?: string | object, sent?: Sent) => send('POST', path, body, sent),
    get: (path: string, sent?: Sent) => send('GET', path, undefined, sent),
    send,
    /** Signs what prepare handed out, or fields of our own on top of it. */
    signed: async (payer: PrivateKeyAccount, prepared: Body, fields: Partial<IntentJson> = {}) => {
      const intent: IntentJson = { ...prepared.intent, ...fields }
      const { chainId: onChain, contract, ...message } = intent
      const typedData = { ...prepared.typedData, message } as TypedDataDefinition
      return { intent, signature: await payer.signTypedData(typedData) }
    },
    /** Everything that a refused request must leave as it was. */
    stored: async (): Promise<unknown> => {
      const { rows } = await sql`
        select (select count(*) from intent) as intents, (select count(*) from intent_digest) as digests,
          (select count(*) from payment_order) as orders, (select count(*) from order_claim) as claims,
          (select count(*) from intent_nonce) as nonces, (select count(*) from acknowledgement) as acknowledgements,
          (select count(*) from ledger_entry) as entries, (select count(*) from cancellation) as cancellations,
          (select count(*) from op_log) as op_log, (select count(*) from webhook_endpoint) as endpoints,
          (select count(*) from webhook_delivery) as deliveries, (select count(*) from payee_owner) as payees, (select coalesce(sum(reserved), 0)::text from account) as reserved`.execute(
        database,
      )
      return rows[0]
    },
    /** The twin of a 65-byte signature with s in the upper half. */
    highS: (signature: Hex): Hex => {
      const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
      const s = (order - BigInt(`0x${signature.slice(66, 130)}`)).toString(16).padStart(64, '0')
      return `${signature.slice(0, 66)}${s}${signature.endsWith('1b') ? '1c' : '1b'}` as Hex
    },
  }
}

export type World = Awaited<ReturnType<typeof createWorld>>
