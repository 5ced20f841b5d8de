import { sql } from 'kysely'
import type { Hex } from 'viem'
import type { ChainView } from '../../core/acknowledgement.ts'
import { accountId, type BookedAccount, type BookedOrder, type Books, type Candidate } from '../../core/admit.ts'
import type { ChainViewRecord } from '../../core/ports/accounts.ts'
import type { Mode } from '../../core/protocol/taking.ts'
import { zeroOrderRef } from '../../core/protocol/typed-data.ts'
import { type AccountRow, accountStateOf } from './accounts.ts'
import { chainedTails } from './chained-tails.ts'
import { addressOf, byteaText, hexOf, idOf, uuidOf } from './codec.ts'
import { type DbTransaction, query } from './database.ts'
import { type OrderRow, orderOf } from './orders.ts'

/**
 * What a set of candidates is decided on. Accounts are locked first and orders second, each in one fixed order, and all
 * else is read by later statements: those see what the former holders of the locks have committed.
 */
export async function lockBooks(
  tx: DbTransaction,
  candidates: readonly Candidate[],
  nowSeconds: number,
): Promise<Books> {
  const accounts = await lockAccounts(tx, candidates)
  const orders = await lockOrders(tx, candidates)
  const claims = await claimsOf(tx, orders)
  const existing = await digestsOf(tx, candidates)
  const nonces = await openNoncesOf(tx, candidates)
  const views = await viewsOf(tx, candidates)
  const tails = await chainedTails(
    tx,
    candidates
      .filter(({ taking }) => taking.mode === 'chained')
      .map(({ chain, payment }) => ({ ...chain, ...payment })),
  )

  return {
    account: ({ chain, payment, taking }): BookedAccount | undefined => {
      const key = accountId({ ...chain, ...payment, mode: taking.mode })
      const account = accounts.get(key)
      return account && { ...account, openNonces: nonces.get(key) ?? [], tail: tails.get(key) }
    },
    existing: (digest) => existing.get(digest),
    order: ({ chain, payment, orderId }): BookedOrder | undefined => {
      const order = orders.find((o) =>
        orderId === undefined ? o.payee === payment.payee && o.orderRef === payment.orderRef : o.id === orderId,
      )
      // An order is for one chain: a token may have the same address on two.
      return order?.chainId === chain.chainId ? { ...order, paidBy: claims.get(order.id) } : undefined
    },
    view: ({ chainId, vault }) => viewAt(views.get(`${chainId}:${vault}`), nowSeconds),
  }
}

/** `chain_id`, `vault`, `payer`, `token`, `mode` of every candidate, once each. */
function accountSet(candidates: readonly Candidate[]) {
  const keys = candidates.map(({ chain, payment, taking }) => ({
    chain_id: chain.chainId,
    vault: byteaText(chain.vault),
    payer: byteaText(payment.payer),
    token: byteaText(payment.token),
    mode: taking.mode,
  }))
  return sql`(
    select distinct * from jsonb_to_recordset(${JSON.stringify(keys)}::jsonb)
      as r(chain_id bigint, vault bytea, payer bytea, token bytea, mode text)
  )`
}

type KeyRow = {
  readonly chain_id: number
  readonly vault: Buffer
  readonly payer: Buffer
  readonly token: Buffer
  readonly mode: Mode
}
const keyOf = ({ chain_id, vault, payer, token, mode }: KeyRow) =>
  accountId({ chainId: chain_id, vault: addressOf(vault), payer: addressOf(payer), token: addressOf(token), mode })

/**
 * The row lock is the mutex for all that touches one payer's money, nonces and digests, in this process or another.
 * Finality locks in the same order, so neither waits for the other in a circle.
 */
async function lockAccounts(tx: DbTransaction, candidates: readonly Candidate[]) {
  const rows = await query(
    tx,
    sql<KeyRow & AccountRow & { reserved: string }>`
      select a.* from ${accountSet(candidates)} as k join account a using (chain_id, vault, payer, token, mode)
      order by a.chain_id, a.vault, a.payer, a.token, a.mode
      for update of a`,
  )
  return new Map(rows.map((row) => [keyOf(row), { state: accountStateOf(row), reserved: BigInt(row.reserved) }]))
}

type Named = { readonly id: string } | { readonly payee: string; readonly ref: string }

/** The row lock lets one set at a time pay an order. Orders that the client named by id, or by payee and reference. */
async function lockOrders(tx: DbTransaction, candidates: readonly Candidate[]) {
  const named = candidates.flatMap(({ orderId, payment }): readonly Named[] => {
    if (orderId !== undefined) {
      const id = uuidOf('po', orderId)
      return id === undefined ? [] : [{ id }]
    }
    if (payment.orderRef === zeroOrderRef) return []
    return [{ payee: byteaText(payment.payee), ref: byteaText(payment.orderRef) }]
  })
  if (named.length === 0) return []
  // The ids first: given as constants, they name the days in which the orders lie.
  const ids = await query(
    tx,
    sql<{ id: string }>`
      select distinct coalesce(n.id, ref.order_id) as id
      from jsonb_to_recordset(${JSON.stringify(named)}::jsonb) as n(id uuid, payee bytea, ref bytea)
        left join order_ref ref on ref.payee = n.payee and ref.order_ref = n.ref
      where coalesce(n.id, ref.order_id) is not null`,
  )
  if (ids.length === 0) return []
  const rows = await query(
    tx,
    sql<OrderRow>`
      select * from payment_order where id = any(${ids.map(({ id }) => id)}::uuid[])
      order by id
      for update`,
  )
  return rows.map(orderOf)
}

/** By order id. Not joined to the lock: a statement that waited for the lock would not see the claim it waited for. */
async function claimsOf(tx: DbTransaction, orders: readonly { readonly id: string }[]) {
  if (orders.length === 0) return new Map<string, string>()
  const rows = await query(
    tx,
    sql<{ order_id: string; intent_id: string }>`
      select order_id, intent_id from order_claim where order_id = any(${orders.map(({ id }) => uuidOf('po', id))}::uuid[])`,
  )
  return new Map(rows.map((row) => [idOf('po', row.order_id), idOf('pi', row.intent_id)]))
}

async function digestsOf(tx: DbTransaction, candidates: readonly Candidate[]) {
  const set = candidates.map(({ digest }) => ({ digest: byteaText(digest) }))
  const rows = await query(
    tx,
    sql<{ digest: Buffer; intent_id: string; app_id: string }>`
      select d.* from jsonb_to_recordset(${JSON.stringify(set)}::jsonb) as r(digest bytea)
        join intent_digest d using (digest)`,
  )
  return new Map<Hex, { id: string; appId: string }>(
    rows.map((row) => [hexOf(row.digest), { id: idOf('pi', row.intent_id), appId: row.app_id }]),
  )
}

/** By account. What prepare handed out and nobody has signed yet is free for its payer. */
async function openNoncesOf(tx: DbTransaction, candidates: readonly Candidate[]) {
  const rows = await query(
    tx,
    sql<KeyRow & { nonces: readonly string[] }>`
      select n.chain_id, n.vault, n.payer, n.token, n.mode, array_agg(n.nonce) as nonces
      from ${accountSet(candidates)} as k join intent_nonce n using (chain_id, vault, payer, token, mode)
      where n.intent_id is not null
      group by n.chain_id, n.vault, n.payer, n.token, n.mode`,
  )
  return new Map(rows.map((row) => [keyOf(row), row.nonces.map(BigInt)]))
}

/** By chain and contract. */
async function viewsOf(tx: DbTransaction, candidates: readonly Candidate[]) {
  const rows = await query(
    tx,
    sql<{
      chain_id: number
      vault: Buffer
      head_at: number
      finalized_at: number
      observed_at: Date
      is_paused: boolean
    }>`
      select v.chain_id, v.vault, v.head_at, v.finalized_at, v.observed_at, v.is_paused
      from (select distinct chain_id, vault from ${accountSet(candidates)} as k) as k join chain_view v using (chain_id, vault)`,
  )
  return new Map(
    rows.map((row) => {
      const seen = {
        headAt: BigInt(row.head_at),
        finalizedAt: BigInt(row.finalized_at),
        observedAtMillis: row.observed_at.getTime(),
        isPaused: row.is_paused,
      }
      return [`${row.chain_id}:${addressOf(row.vault)}`, seen] as const
    }),
  )
}

/**
 * A view that nobody has refreshed for long is as stale as an old head: the larger age counts. A chain that the relayer
 * has not seen allows no firm promise at all.
 */
export function viewAt(
  seen: Pick<ChainViewRecord, 'headAt' | 'finalizedAt' | 'observedAtMillis' | 'isPaused'> | undefined,
  nowSeconds: number,
): ChainView {
  if (seen === undefined)
    return { headAgeSeconds: Number.POSITIVE_INFINITY, finalizedAgeSeconds: Number.POSITIVE_INFINITY, isPaused: true }
  const headAgeSeconds = Math.max(nowSeconds - Number(seen.headAt), nowSeconds - seen.observedAtMillis / 1000)
  return { headAgeSeconds, finalizedAgeSeconds: nowSeconds - Number(seen.finalizedAt), isPaused: seen.isPaused }
}
