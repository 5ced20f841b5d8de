import { sql } from 'kysely'
import type { Address } from 'viem'
import { settled, voided } from '../../core/ledger.ts'
import type { AccountKey, Block } from '../../core/ports/chain.ts'
import type { OutsideSettlement } from '../../core/ports/confirmation.ts'
import type { RefreshedAccount } from '../../core/ports/finalization.ts'
import type { Mode } from '../../core/protocol/taking.ts'
import type { BatchSpan } from './batch-span.ts'
import { addressOf, byteaText, bytes, hexOf, idOf } from './codec.ts'
import { type DbTransaction, query } from './database.ts'
import { storeLedgerEntries } from './ledger.ts'

/** A payment that has reached its end (`id` as the row holds it): its reservation, its nonce and, unless it was paid, its order are free again. */
export type Ended = {
  readonly id: string
  readonly payer: Address
  readonly payee: Address
  readonly token: Address
  readonly mode: Mode
  readonly amount: bigint
}

/** Finality of one vault up to `block`, inside one DB transaction. */
export type Scope = {
  readonly tx: DbTransaction
  readonly chainId: number
  readonly vault: Address
  readonly block: Pick<Block, 'number' | 'hash' | 'at'>
}

export type EndedRow = {
  id: string
  payer: Buffer
  payee: Buffer
  token: Buffer
  mode: Mode
  amount: string
  batch_id: string | null
  tx_hash: Buffer | null
}
/** Of an `EndedRow`, but for the tx. */
export const columns = sql`i.id, i.payer, i.payee, i.token, i.mode, i.amount, i.batch_id`

/** Settled by a transaction of somebody else: settled is settled. */
export async function endSettledOutside(
  scope: Scope,
  outside: readonly OutsideSettlement[],
): Promise<readonly Ended[]> {
  if (outside.length === 0) return []
  const { tx, chainId, vault, block } = scope
  return endPaid(
    scope,
    await query(
      tx,
      sql<EndedRow>`
        update intent i set state = 'finalized', reason = null, updated_at = now()
        where i.id = any(array(select intent_id from intent_digest where digest = any(${outside.map((o) => bytes(o.digest))}::bytea[])))
          and i.chain_id = ${chainId} and i.vault = ${bytes(vault)} and i.outside_block <= ${block.number}
          and i.state in ('held', 'accepted', 'batched', 'cancelling')
        returning ${columns}, i.outside_tx as tx_hash`,
    ),
  )
}

/**
 * A record that a batch carried in vain. A wallet can be emptied in front of every batch, at our price, so a pull waits a
 * minute, then four, sixteen, …
 */
const pauseAfterRefusal = sql`
  case when i.mode = 'pull' then 60 * 4 ^ least(i.refusals, 6) else least(300, 2 ^ least(i.refusals, 8)) end * interval '1 second'`

/** Payments of final batches: those whose bit is set are paid, without a write to their row; the others wait for another batch. */
export async function settlePayments(scope: Scope, { ids, low, high }: BatchSpan): Promise<readonly Ended[]> {
  const { tx } = scope
  await sql`
    update intent i set state = 'accepted', batch_id = null, batch_index = null, refusals = i.refusals + 1,
      reason = case b.state when 'reverted' then 'batch_reverted' else 'record_refused' end,
      retry_at = now() + ${pauseAfterRefusal}, updated_at = now()
    from batch b
    where b.id = any(${ids}::uuid[]) and i.batch_id = b.id and i.state = 'batched' and i.id between ${low} and ${high}
      and (b.results is null or get_bit(b.results, i.batch_index) = 0)`.execute(tx)
  return endPaid(
    scope,
    await query(
      tx,
      sql<EndedRow>`
        select ${columns}, b.tx_hash from intent i join batch b on b.id = i.batch_id
        where b.id = any(${ids}::uuid[]) and i.state = 'batched' and i.id between ${low} and ${high}`,
    ),
  )
}

/** Cancel records of final batches: a burnt nonce ends the payment; a refused record is sent again while it lives. */
export async function settleCancels(scope: Scope, batchIds: readonly string[]): Promise<readonly Ended[]> {
  const { tx } = scope
  const burnt = sql`b.results is not null and get_bit(b.results, b.payment_count + c.batch_index) = 1`
  const ended = await query(
    tx,
    sql<EndedRow>`
      update intent i set state = 'cancelled', updated_at = now()
      from cancellation c join batch b on b.id = c.batch_id
      where b.id = any(${batchIds}::uuid[]) and i.id = c.intent_id and i.state = 'cancelling' and ${burnt}
      returning ${columns}, b.tx_hash`,
  )
  await sql`
    update cancellation c set batch_id = null, batch_index = null, retry_at = now() + interval '5 seconds'
    from batch b where b.id = c.batch_id and b.id = any(${batchIds}::uuid[]) and not (${burnt})`.execute(tx)
  return endUnpaid(scope, ended)
}

/**
 * A batch that no lane took for minutes (no gas money, fees over the cap) was never signed, so its payments may go back:
 * they can be cancelled again, or end at their deadline. A lane that takes it at this moment holds its row, and wins.
 * @returns the accounts of those payments
 */
export async function dissolveUnassigned({ tx, chainId, vault }: Scope): Promise<readonly AccountKey[]> {
  const dissolved = await query(
    tx,
    sql<{ id: string }>`
      select id from batch
      where chain_id = ${chainId} and vault = ${bytes(vault)} and state = 'batched' and not is_assigned
        and created_at < now() - interval '5 minutes'
      order by id for update`,
  )
  const ids = dissolved.map(({ id }) => id)
  const freed = await query(
    tx,
    sql<Pick<EndedRow, 'payer' | 'token' | 'mode'>>`
      update intent set state = 'accepted', batch_id = null, batch_index = null, updated_at = now()
      where batch_id = any(${ids}::uuid[]) and state = 'batched'
      returning payer, token, mode`,
  )
  await sql`
    update cancellation set batch_id = null, batch_index = null where batch_id = any(${ids}::uuid[])`.execute(tx)
  // Last: a payment of a dissolved batch would pass for one that is on its way.
  await sql`update batch set state = 'dissolved', finalized_at = now() where id = any(${ids}::uuid[])`.execute(tx)
  return freed.map(({ payer, token, mode }) => ({ payer: addressOf(payer), token: addressOf(token), mode }))
}

/** The deadline has passed at the final block, so the signature is dead: only now is its end told. */
export async function endDead(scope: Scope, countMax: number): Promise<readonly Ended[]> {
  const { tx, chainId, vault, block } = scope
  return endUnpaid(
    scope,
    await query(
      tx,
      sql<EndedRow>`
        update intent i set updated_at = now(),
          state = case when i.state = 'cancelling' then 'cancelled' when i.state = 'accepted' and i.refusals > 0 then 'failed' else 'expired' end
        where i.id in (
            select id from intent
            where chain_id = ${chainId} and vault = ${bytes(vault)} and state in ('held', 'accepted', 'cancelling')
              and deadline < ${block.at} and outside_block is null
            order by deadline limit ${countMax} for update)
          and i.state in ('held', 'accepted', 'cancelling')
        returning ${columns}, null::bytea as tx_hash`,
    ),
  )
}

/** The chain has spent the nonce for something else (another payload, a jump past the window): also dead. */
export async function endSpent(scope: Scope, accounts: readonly RefreshedAccount[]): Promise<readonly Ended[]> {
  const { tx, chainId, vault } = scope
  const set = accounts.map(({ payer, token, mode, state }) => ({
    payer: byteaText(payer),
    token: byteaText(token),
    mode,
    top: `${state.topNonce}`,
    window: `${state.nonceWindow}`,
  }))
  return endUnpaid(
    scope,
    await query(
      tx,
      sql<EndedRow>`
        update intent i set updated_at = now(), reason = coalesce(i.reason, 'nonce_spent'),
          state = case when i.state = 'cancelling' then 'cancelled' else 'failed' end
        from jsonb_to_recordset(${JSON.stringify(set)}::jsonb) as r(payer bytea, token bytea, mode text, top bigint, "window" numeric)
        where i.chain_id = ${chainId} and i.vault = ${bytes(vault)} and i.payer = r.payer and i.token = r.token
          and i.mode = r.mode and i.state in ('held', 'accepted', 'cancelling') and i.outside_block is null and i.nonce <= r.top
          and (r.top - i.nonce >= 64 or mod(div(r."window", 2::numeric ^ (r.top - i.nonce)), 2) = 1)
        returning ${columns}, null::bytea as tx_hash`,
    ),
  )
}

async function endPaid(scope: Scope, found: readonly EndedRow[]): Promise<readonly Ended[]> {
  // An empty set names no day, so Postgres would open every one.
  if (found.length === 0) return []
  const ended = found.map(endedOf)
  await freeNonces(scope, ended)
  await storeLedgerEntries(
    scope.tx,
    found.flatMap((row, index) =>
      settled(ended[index] ?? endedOf(row)).map((entry) => ({
        ...entry,
        ...entryFacts(scope, row),
        blockNumber: scope.block.number,
        txHash: row.tx_hash === null ? undefined : hexOf(row.tx_hash),
      })),
    ),
  )
  return ended
}

export async function endUnpaid(scope: Scope, found: readonly EndedRow[]): Promise<readonly Ended[]> {
  if (found.length === 0) return []
  const ended = found.map(endedOf)
  await freeNonces(scope, ended)
  await sql`delete from order_claim where intent_id = any(${found.map(({ id }) => id)}::uuid[])
    and order_id in (select order_id from intent where id = any(${found.map(({ id }) => id)}::uuid[]) and order_id is not null)`.execute(
    scope.tx,
  )
  await storeLedgerEntries(
    scope.tx,
    found.map((row, index) => ({
      ...voided(ended[index] ?? endedOf(row)),
      ...entryFacts(scope, row),
      blockNumber: undefined,
      txHash: undefined,
    })),
  )
  return ended
}

async function freeNonces({ tx }: Scope, ended: readonly Ended[]): Promise<void> {
  const ids = ended.map(({ id }) => id)
  await sql`
    delete from intent_nonce n using intent i
    where i.id = any(${ids}::uuid[]) and n.chain_id = i.chain_id and n.vault = i.vault and n.payer = i.payer
      and n.token = i.token and n.mode = i.mode and n.nonce = i.nonce and n.intent_id = i.id`.execute(tx)
}

function endedOf(row: EndedRow): Ended {
  return {
    id: row.id,
    payer: addressOf(row.payer),
    payee: addressOf(row.payee),
    token: addressOf(row.token),
    mode: row.mode,
    amount: BigInt(row.amount),
  }
}

function entryFacts({ chainId, vault }: Scope, row: EndedRow) {
  return {
    chainId,
    vault,
    token: addressOf(row.token),
    intentId: idOf('pi', row.id),
    batchId: row.batch_id === null ? undefined : idOf('sb', row.batch_id),
    logIndex: undefined,
  }
}
