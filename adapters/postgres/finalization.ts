import { sql } from 'kysely'
import type { Address } from 'viem'
import type { ChainViewRecord } from '../../core/ports/accounts.ts'
import type { FinalBatch, Finality, Finalization } from '../../core/ports/finalization.ts'
import type { Mode } from '../../core/protocol/taking.ts'
import { openAuditRecords } from './audit-obligations.ts'
import { type BatchSpan, loadSpan, spanOf } from './batch-span.ts'
import { type BlockRow, blockOf } from './block-row.ts'
import { findChainView, lockChainView } from './chain-view.ts'
import { endOrphans } from './chained-orphans.ts'
import { addressOf, byteaText, bytes, hexOf, idOf, uuidOfOwn } from './codec.ts'
import { retryContention } from './contention.ts'
import { type Database, type DbTransaction, inTransaction, query } from './database.ts'
import {
  dissolveUnassigned,
  type Ended,
  endDead,
  endSettledOutside,
  endSpent,
  settleCancels,
  settlePayments,
} from './ending.ts'
import { settleOutside } from './inclusion.ts'
import { storeLedgerEntries } from './ledger.ts'

/** Payments that one DB transaction may end for their deadline, so that it stays short whatever has piled up. */
const deadCountMax = 1_000

export function createFinalization(database: Database): Finalization {
  return {
    view: (chainId, vault) => findChainView(database, chainId, vault),
    storedBlocks: async (chainId, vault, above, upTo) => {
      const found = await query(
        database,
        sql<BlockRow>`
          select number, hash, parent_hash, at from block
          where chain_id = ${chainId} and vault = ${bytes(vault)} and number > ${above} and number <= ${upTo} order by number`,
      )
      return found.map(blockOf)
    },
    batches: (chainId, vault, upTo) => batches(database, chainId, vault, upTo),
    unknown: async (digests) => {
      const found = await query(
        database,
        sql<{ digest: Buffer }>`
          select digest from unnest(${digests.map(bytes)}::bytea[]) as asked(digest)
          where not exists (select from intent_digest d where d.digest = asked.digest)`,
      )
      return new Set(found.map(({ digest }) => hexOf(digest)))
    },
    endDead: (chainId, vault) => retryContention(() => endMoreDead(database, chainId, vault)),
    apply: (chainId, vault, from, finality) =>
      // Ends of payments touch accounts that no event named, and so were not locked in order.
      retryContention(() => apply(database, chainId, vault, from, finality)),
  }
}

async function batches(
  database: Database,
  chainId: number,
  vault: Address,
  upTo: bigint,
): Promise<readonly FinalBatch[]> {
  type Row = {
    id: string
    token: Buffer
    mode: Mode
    state: 'included' | 'reverted'
    block_number: number
    tx_hash: Buffer
    results: Buffer
    intent_low: string
    intent_high: string
  }
  const found = await query(
    database,
    sql<Row>`
      select id, token, mode, state, block_number, tx_hash, coalesce(results, '') as results, intent_low, intent_high from batch
      where chain_id = ${chainId} and vault = ${bytes(vault)} and state in ('included', 'reverted') and block_number <= ${upTo}
      order by block_number, id`,
  )
  const sums = await paymentSums(database, spanOf(found))
  return found.map((row) => {
    const theirs = sums.filter(({ batch_id }) => batch_id === row.id)
    return {
      id: idOf('sb', row.id),
      token: addressOf(row.token),
      mode: row.mode,
      state: row.state,
      blockNumber: BigInt(row.block_number),
      txHash: hexOf(row.tx_hash),
      results: hexOf(row.results),
      payers: theirs.map(({ payer }) => addressOf(payer)),
      payees: totalsOf(theirs),
    }
  })
}

function totalsOf(sums: readonly { readonly payee: Buffer; readonly total: string | null }[]): FinalBatch['payees'] {
  const totals = new Map<Address, bigint>()
  for (const { payee, total } of sums) {
    if (total === null) continue
    const address = addressOf(payee)
    totals.set(address, (totals.get(address) ?? 0n) + BigInt(total))
  }
  return [...totals].map(([payee, total]) => ({ payee, total }))
}

/** Who paid whom how much in these batches, and whose cancels they carried; a null total moved nothing. */
async function paymentSums(database: Database, { ids, low, high }: BatchSpan) {
  if (ids.length === 0) return []
  return query(
    database,
    sql<{ batch_id: string; payer: Buffer; payee: Buffer; total: string | null }>`
      select i.batch_id, i.payer, i.payee,
        sum(i.amount) filter (where b.results is not null and get_bit(b.results, i.batch_index) = 1) as total
      from intent i join batch b on b.id = i.batch_id
      where i.batch_id = any(${ids}::uuid[]) and b.id = any(${ids}::uuid[]) and i.id between ${low} and ${high}
      group by i.batch_id, i.payer, i.payee
      union all
      select c.batch_id, i.payer, i.payee, null
      from cancellation c join intent i on i.id = c.intent_id
      where c.batch_id = any(${ids}::uuid[]) and i.id between ${low} and ${high}`,
  )
}

function apply(
  database: Database,
  chainId: number,
  vault: Address,
  from: ChainViewRecord,
  finality: Finality,
): Promise<'applied' | 'moved'> {
  return inTransaction(database, async (tx) => {
    const locked = await lockChainView(tx, chainId, vault)
    if (locked === undefined || locked.finalizedHash !== from.finalizedHash) return 'moved'
    await lockAccounts(tx, chainId, vault, finality)

    const scope = { tx, chainId, vault, block: finality.block }
    await settleOutside(tx, chainId, vault, finality.outside)
    const ids = finality.batches.map((batch) => uuidOfOwn('sb', batch.id))
    const span = await loadSpan(tx, ids)
    const freed = await dissolveUnassigned(scope)
    const ended: readonly Ended[] = [
      ...(await endSettledOutside(scope, finality.outside)),
      ...(await settlePayments(scope, span)),
      ...(await settleCancels(scope, ids)),
      ...(await endDead(scope, deadCountMax)),
      ...(await endSpent(scope, finality.accounts)),
    ]
    await openAuditRecords(scope, finality.settling, span)
    await refreshAccounts(tx, chainId, vault, finality)
    const orphans = await endOrphans(scope, [...finality.accounts, ...freed, ...ended])
    await freeReservations(tx, chainId, vault, [...ended, ...orphans])
    await storeLedgerEntries(
      tx,
      finality.entries.map((entry) => ({ ...entry, chainId, vault, intentId: undefined })),
    )
    await sql`
      update batch set state = case state when 'included' then 'finalized' else 'dissolved' end, finalized_at = now()
      where id = any(${ids}::uuid[])`.execute(tx)
    await sql`
      update chain_view set finalized_number = ${finality.block.number}, finalized_hash = ${bytes(finality.block.hash)},
        finalized_at = ${finality.block.at}
      where chain_id = ${chainId} and vault = ${bytes(vault)}`.execute(tx)
    await sql`delete from block where chain_id = ${chainId} and vault = ${bytes(vault)} and number < ${finality.block.number}`.execute(
      tx,
    )
    return 'applied'
  })
}

/** At the final block as it stands: what died by it and was not among the first in its own step. */
function endMoreDead(database: Database, chainId: number, vault: Address): Promise<boolean> {
  return inTransaction(database, async (tx) => {
    const view = await lockChainView(tx, chainId, vault)
    if (view === undefined) return false
    const { finalizedNumber: number, finalizedHash: hash, finalizedAt: at } = view
    const scope = { tx, chainId, vault, block: { number, hash, at } }
    const ended = await endDead(scope, deadCountMax)
    await freeReservations(tx, chainId, vault, [...ended, ...(await endOrphans(scope, ended))])
    return ended.length === deadCountMax
  })
}

/** In the order in which accept locks them, so that the two cannot wait for each other. */
async function lockAccounts(tx: DbTransaction, chainId: number, vault: Address, { accounts }: Finality): Promise<void> {
  await sql`
    select from account
    where chain_id = ${chainId} and vault = ${bytes(vault)} and payer = any(${accounts.map(({ payer }) => bytes(payer))}::bytea[])
    order by chain_id, vault, payer, token, mode for update`.execute(tx)
}

/** A reservation is freed only together with the finalized balance that reflects its end. */
async function refreshAccounts(
  tx: DbTransaction,
  chainId: number,
  vault: Address,
  { accounts, block }: Finality,
): Promise<void> {
  const refreshed = accounts.map(({ payer, token, mode, state }) => ({
    payer: byteaText(payer),
    token: byteaText(token),
    mode,
    balance: `${state.balance}`,
    allowance: state.allowance === undefined ? null : `${state.allowance}`,
    head: state.head === undefined ? null : byteaText(state.head),
    withdraw: `${state.withdrawAmount}`,
    top: `${state.topNonce}`,
    window: `${state.nonceWindow}`,
    relayer: state.relayerId,
    rebinding: state.isRebinding,
  }))
  await sql`
    update account a set balance = r.balance, allowance = r.allowance, head = r.head, withdraw_amount = r.withdraw, top_nonce = r.top, nonce_window = r.window,
      relayer_id = r.relayer, is_rebinding = r.rebinding, as_of_block = ${block.number}
    from jsonb_to_recordset(${JSON.stringify(refreshed)}::jsonb)
      as r(payer bytea, token bytea, mode text, balance numeric, allowance numeric, head bytea, withdraw numeric, top bigint, "window" numeric, relayer bigint, rebinding boolean)
    where a.chain_id = ${chainId} and a.vault = ${bytes(vault)} and a.payer = r.payer and a.token = r.token and a.mode = r.mode`.execute(
    tx,
  )
}

async function freeReservations(
  tx: DbTransaction,
  chainId: number,
  vault: Address,
  ended: readonly Ended[],
): Promise<void> {
  const freed = ended.map(({ payer, token, mode, amount }) => ({
    payer: byteaText(payer),
    token: byteaText(token),
    mode,
    amount: `${amount}`,
  }))
  await sql`
    update account a set reserved = a.reserved - r.amount
    from (
      select payer, token, mode, sum(amount) as amount
      from jsonb_to_recordset(${JSON.stringify(freed)}::jsonb) as f(payer bytea, token bytea, mode text, amount numeric)
      group by payer, token, mode
    ) as r
    where a.chain_id = ${chainId} and a.vault = ${bytes(vault)} and a.payer = r.payer and a.token = r.token and a.mode = r.mode`.execute(
    tx,
  )
}
