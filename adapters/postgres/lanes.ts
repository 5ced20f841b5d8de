import { sql } from 'kysely'
import type { Address, Hex } from 'viem'
import {
  type BoundLane,
  FencedOffError,
  type LaneKey,
  type Lanes,
  type Lease,
  type OpenAttempt,
} from '../../core/ports/lanes.ts'
import { addressOf, bytes, hexOf, idOf, newId, uuidOfOwn } from './codec.ts'
import { type Database, type DbTransaction, inTransaction, query } from './database.ts'

export function createLanes(database: Database): Lanes {
  return {
    lease: (lane, holder, leaseMillis) => lease(database, lane, holder, leaseMillis),
    release: async ({ chainId, signer }, holder) => {
      await sql`
        update lane set held_until = null, holder = null
        where chain_id = ${chainId} and signer = ${bytes(signer)} and holder = ${holder}`.execute(database)
    },
    openAttempts: (lane) => openAttempts(database, lane),
    storedNonceMax: async ({ chainId, signer }) => {
      const [row] = await query(
        database,
        sql<{ nonce: number | null }>`
          select max(nonce) as nonce from account_nonce where chain_id = ${chainId} and signer = ${bytes(signer)}`,
      )
      return row?.nonce ?? undefined
    },
    unassignedCount: async (chainId, except = []) => {
      const [row] = await query(
        database,
        sql<{ count: number }>`select count(*) as count from (${unassigned(chainId, except)}) as u`,
      )
      return row?.count ?? 0
    },
    allocate: (held, allocation) => allocate(database, held, allocation),
    storeSigned: (held, attempt) =>
      fenced(database, held, async (tx) => {
        const stored = await query(
          tx,
          sql`
            update attempt set state = 'signed', raw_tx = ${bytes(attempt.rawTx)}, tx_hash = ${bytes(attempt.hash)}
            where id = ${uuidOfOwn('at', attempt.id)} and state = 'prepared'
            returning id`,
        )
        return stored.length === 1
      }),
    storeSent: (held, id) =>
      fenced(database, held, async (tx) => {
        const uuid = uuidOfOwn('at', id)
        await sql`update attempt set state = 'sent', sent_at = now() where id = ${uuid} and state <> 'prepared'`.execute(
          tx,
        )
        await sql`
          update batch set state = 'submitted', submitted_at = coalesce(submitted_at, now())
          where id = (select batch_id from attempt where id = ${uuid}) and state = 'batched'`.execute(tx)
      }),
    replace: (held, { id, fees }) =>
      fenced(database, held, async (tx) => {
        await sql`
          insert into attempt (id, batch_id, chain_id, signer, account_nonce, max_fee_per_gas_wei, max_priority_fee_per_gas_wei, state)
          select ${uuidOfOwn('at', newId('at'))}::uuid, batch_id, chain_id, signer, account_nonce,
            ${fees.maxFeePerGasWei.toString()}::numeric, ${fees.maxPriorityFeePerGasWei.toString()}::numeric, 'prepared'
          from attempt where id = ${uuidOfOwn('at', id)}`.execute(tx)
      }),
    loseNonce: (held, accountNonce) =>
      fenced(database, held, async (tx) => {
        // Only while the batch is still open: confirm may have found our tx since the caller looked.
        await sql`
          with lost as (
            update account_nonce n set is_lost = true
            from batch b
            where n.chain_id = ${held.chainId} and n.signer = ${bytes(held.signer)} and n.nonce = ${accountNonce}
              and b.id = n.batch_id and b.state in ('batched', 'submitted')
            returning n.batch_id
          )
          update batch set is_assigned = false where id in (select batch_id from lost)`.execute(tx)
      }),
    bound: (chainId) => bound(database, chainId),
    setPaused: (held, reason) =>
      fenced(database, held, async (tx) => {
        await sql`
          update lane set paused_reason = ${reason ?? null}
          where chain_id = ${held.chainId} and signer = ${bytes(held.signer)}`.execute(tx)
      }),
  }
}

/** The fence rises whenever the holder changes, so that a former holder's late write finds a newer number and fails. */
async function lease(
  database: Database,
  lane: LaneKey,
  holder: string,
  leaseMillis: number,
): Promise<Lease | undefined> {
  const [row] = await query(
    database,
    sql<{ fence: number }>`
      insert into lane (chain_id, signer, fence, holder, held_until)
      values (${lane.chainId}, ${bytes(lane.signer)}, 1, ${holder}, now() + ${leaseMillis} * interval '1 millisecond')
      on conflict (chain_id, signer) do update
      set fence = lane.fence + case when lane.holder = excluded.holder then 0 else 1 end,
        holder = excluded.holder, held_until = excluded.held_until
      where lane.holder is null or lane.holder = excluded.holder or lane.held_until < now()
      returning fence`,
  )
  return row === undefined ? undefined : { ...lane, fence: row.fence }
}

/** Runs `work` while the lane's row is locked under our fence: nobody can take the lane before we have committed. */
function fenced<Result>(
  database: Database,
  held: Lease,
  work: (tx: DbTransaction) => Promise<Result>,
): Promise<Result> {
  return inTransaction(database, async (tx) => {
    const [row] = await query(
      tx,
      sql<{ fence: number }>`
        select fence from lane where chain_id = ${held.chainId} and signer = ${bytes(held.signer)} for update`,
    )
    if (row?.fence !== held.fence) throw new FencedOffError(held)
    return work(tx)
  })
}

/** Batches without a live account nonce, oldest first. */
const unassigned = (chainId: number, except: readonly Address[]) => sql<{ id: string }>`
  select b.id from batch b
  where b.chain_id = ${chainId} and b.state in ('batched', 'submitted') and not b.is_assigned
    and b.vault <> all(${except.map(bytes)}::bytea[])
  order by b.id`

async function allocate(
  database: Database,
  held: Lease,
  { firstNonce, countMax, fees, except = [] }: Parameters<Lanes['allocate']>[1],
): Promise<number> {
  return fenced(database, held, async (tx) => {
    // Lanes of a chain look for work at the same time: each batch goes to the one that locks and marks it.
    const taken = await query(
      tx,
      sql<{ id: string }>`
        update batch set is_assigned = true
        where id in (${unassigned(held.chainId, except)} limit ${countMax} for update of b skip locked)
        returning id`,
    )
    if (taken.length === 0) return 0
    const set = taken
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
      .map((row, index) => ({
        batch: row.id,
        nonce: firstNonce + index,
        attempt: uuidOfOwn('at', newId('at')),
      }))
    await sql`
      with r as (select * from jsonb_to_recordset(${JSON.stringify(set)}::jsonb) as r(batch uuid, nonce bigint, attempt uuid)),
        bound as (
          insert into account_nonce (chain_id, signer, nonce, batch_id)
          select ${held.chainId}::bigint, ${bytes(held.signer)}::bytea, nonce, batch from r
        )
      insert into attempt (id, batch_id, chain_id, signer, account_nonce, max_fee_per_gas_wei, max_priority_fee_per_gas_wei, state)
      select attempt, batch, ${held.chainId}::bigint, ${bytes(held.signer)}::bytea, nonce,
        ${fees.maxFeePerGasWei.toString()}::numeric, ${fees.maxPriorityFeePerGasWei.toString()}::numeric, 'prepared'
      from r`.execute(tx)
    return taken.length
  })
}

/**
 * Found from the open batches, which are few: never from the account nonces, which are all that ever were. Included ones
 * count, because a reorg makes them the signer's work again, but nobody waits for it until then.
 */
async function bound(database: Database, chainId: number): Promise<readonly BoundLane[]> {
  const found = await query(
    database,
    sql<{ signer: Buffer; count: number; age_seconds: number }>`
      select n.signer, count(*) as count,
        coalesce(extract(epoch from clock_timestamp() - min(b.created_at) filter (where b.state in ('batched', 'submitted'))), 0)::bigint
          as age_seconds
      from batch b join account_nonce n on n.batch_id = b.id and n.chain_id = b.chain_id and not n.is_lost
      where b.chain_id = ${chainId} and b.state in ('batched', 'submitted', 'included', 'reverted')
      group by n.signer
      order by n.signer`,
  )
  return found.map(({ signer, count, age_seconds }) => ({
    signer: addressOf(signer),
    batchCount: count,
    ageSeconds: age_seconds,
  }))
}

async function openAttempts(database: Database, { chainId, signer }: LaneKey): Promise<readonly OpenAttempt[]> {
  type Row = {
    id: string
    batch_id: string
    account_nonce: number
    state: OpenAttempt['state']
    max_fee_per_gas_wei: string
    max_priority_fee_per_gas_wei: string
    vault: Buffer
    payload: Buffer
    gas_limit: number
    signed_id: string
    raw_tx: Buffer | null
    signed_since_send_millis: number | null
    age_millis: number
    since_send_millis: number | null
  }
  const found = await query(
    database,
    sql<Row>`
      select distinct on (n.nonce) a.id, a.batch_id, a.account_nonce, a.state, a.max_fee_per_gas_wei,
        a.max_priority_fee_per_gas_wei, b.vault, b.payload, b.gas_limit,
        first_value(a.id) over signed as signed_id, first_value(a.raw_tx) over signed as raw_tx,
        (extract(epoch from clock_timestamp() - first_value(a.sent_at) over signed) * 1000)::bigint as signed_since_send_millis,
        (extract(epoch from clock_timestamp() - a.created_at) * 1000)::bigint as age_millis,
        (extract(epoch from clock_timestamp() - a.sent_at) * 1000)::bigint as since_send_millis
      from batch b
        join account_nonce n on n.batch_id = b.id and n.chain_id = b.chain_id and n.signer = ${bytes(signer)} and not n.is_lost
        join attempt a on a.batch_id = b.id and a.signer = n.signer and a.account_nonce = n.nonce
      where b.chain_id = ${chainId} and b.state in ('batched', 'submitted')
      window signed as (partition by n.nonce order by a.raw_tx is null, a.id desc)
      order by n.nonce, a.id desc`,
  )
  return found.map((row) => ({
    id: idOf('at', row.id),
    batchId: idOf('sb', row.batch_id),
    accountNonce: row.account_nonce,
    state: row.state,
    fees: {
      maxFeePerGasWei: BigInt(row.max_fee_per_gas_wei),
      maxPriorityFeePerGasWei: BigInt(row.max_priority_fee_per_gas_wei),
    },
    vault: addressOf(row.vault),
    payload: hexOf(row.payload),
    gasLimit: BigInt(row.gas_limit),
    signed:
      row.raw_tx === null
        ? undefined
        : {
            id: idOf('at', row.signed_id),
            rawTx: hexOf(row.raw_tx) as Hex,
            sinceSendMillis: row.signed_since_send_millis ?? undefined,
          },
    ageMillis: row.age_millis,
    sinceSendMillis: row.since_send_millis ?? undefined,
  }))
}
