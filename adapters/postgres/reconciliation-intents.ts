import { sql } from 'kysely'
import type { Address, Hex } from 'viem'
import type { AccountKey } from '../../core/ports/chain.ts'
import type { BlockRange, VaultKey } from '../../core/ports/reconciliation.ts'
import type { Mode } from '../../core/protocol/taking.ts'
import type { IntentFacts } from '../../core/range-facts.ts'
import type { DaySums } from '../../core/reconcile-day.ts'
import { addressOf, byteaText, bytes, hexOf, idOf } from './codec.ts'
import { type Database, type DbTransaction, query } from './database.ts'
import { isRecent } from './open-window.ts'
import { intentWindow } from './reconciliation-window.ts'

/** Payments that are final in the range: with the bit of a final batch, or by somebody else's tx. */
const finalIntents = ({ chainId, vault }: VaultKey, range: BlockRange) => {
  const { low, high } = intentWindow(range)
  return sql`
    select i.id, i.digest, i.mode, i.payer, i.payee, i.token, i.amount, b.tx_hash
    from batch b join intent i on i.batch_id = b.id and i.state = 'batched' and i.id between ${low} and ${high}
    where b.chain_id = ${chainId} and b.vault = ${bytes(vault)} and b.state = 'finalized' and b.id between ${low} and ${high}
      and b.block_number > ${range.from.number} and b.block_number <= ${range.to.number} and is_paid(b.results, i.batch_index)
    union all
    select i.id, i.digest, i.mode, i.payer, i.payee, i.token, i.amount, i.outside_tx
    from intent i
    where i.chain_id = ${chainId} and i.vault = ${bytes(vault)} and i.state = 'finalized' and i.id between ${low} and ${high}
      and i.outside_block > ${range.from.number} and i.outside_block <= ${range.to.number}`
}

export async function intentFacts(
  database: Database,
  vault: VaultKey,
  range: BlockRange,
  digests: readonly Hex[],
): Promise<Omit<IntentFacts, 'reservations'>> {
  const finalized = await finalizedIntents(database, vault, range)
  return { known: await knownDigests(database, digests), finalized, events: await eventsOf(database, finalized) }
}

async function finalizedIntents(
  database: Database,
  vault: VaultKey,
  range: BlockRange,
): Promise<readonly (IntentFacts['finalized'][number] & { readonly uuid: string })[]> {
  type Row = {
    id: string
    digest: Buffer
    mode: Mode
    payer: Buffer
    payee: Buffer
    token: Buffer
    amount: string
    tx_hash: Buffer
  }
  const found = await query(database, sql<Row>`${finalIntents(vault, range)}`)
  return found.map((row) => ({
    uuid: row.id,
    id: idOf('pi', row.id),
    digest: hexOf(row.digest),
    mode: row.mode,
    payer: addressOf(row.payer),
    payee: addressOf(row.payee),
    token: addressOf(row.token),
    amount: BigInt(row.amount),
    txHash: hexOf(row.tx_hash),
  }))
}

async function knownDigests(database: Database, digests: readonly Hex[]): Promise<IntentFacts['known']> {
  const found = await query(
    database,
    sql<{ digest: Buffer; intent_id: string }>`
      select digest, intent_id from intent_digest where digest = any(${digests.map(bytes)}::bytea[])`,
  )
  return found.map((row) => ({ digest: hexOf(row.digest), id: idOf('pi', row.intent_id) }))
}

/** Ids are written into the statement: the days of these payments are opened and no other. */
async function eventsOf(
  database: Database,
  intents: readonly { readonly uuid: string }[],
): Promise<IntentFacts['events']> {
  const ids = intents.map(({ uuid }) => uuid).toSorted()
  const [low, high] = [ids[0], ids.at(-1)]
  if (low === undefined || high === undefined) return []
  const found = await query(
    database,
    sql<{ intent_id: string; sequences: readonly number[]; last_state: string }>`
      select intent_id, array_agg(sequence order by sequence) as sequences,
        (array_agg(state order by sequence desc))[1] as last_state
      from intent_event where intent_id = any(${ids}::uuid[]) and intent_id between ${low} and ${high}
      group by intent_id`,
  )
  return found.map((row) => ({
    intentId: idOf('pi', row.intent_id),
    sequences: row.sequences,
    lastState: row.last_state,
  }))
}

/**
 * Open payments are those that hold a nonce, and chained ones whose sequence another took while they are cancelled. Two statements, so that payments are read by their ids and open their days
 * only, but of one snapshot: accept and finality change account and payments together.
 */
export async function reservations(
  database: Database,
  { chainId, vault }: VaultKey,
  accounts: readonly AccountKey[],
): Promise<IntentFacts['reservations']> {
  if (accounts.length === 0) return []
  const set = JSON.stringify(
    accounts.map(({ payer, token, mode }) => ({ payer: byteaText(payer), token: byteaText(token), mode })),
  )
  type Row = { payer: Buffer; token: Buffer; mode: Mode; reserved: string; ids: readonly string[] | null }
  return database
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (tx) => {
      const found = await query(
        tx,
        sql<Row>`
          select a.payer, a.token, a.mode, a.reserved, array(
            select n.intent_id from intent_nonce n
            where n.chain_id = a.chain_id and n.vault = a.vault and n.payer = a.payer and n.token = a.token
              and n.mode = a.mode and n.intent_id is not null
            union
            select i.id from intent i
            where i.chain_id = a.chain_id and i.vault = a.vault and i.payer = a.payer and i.token = a.token
              and a.mode = 'chained' and i.mode = 'chained' and i.state = 'cancelling' and ${isRecent('i.id')}) as ids
          from (select distinct * from jsonb_to_recordset(${set}::jsonb) as r(payer bytea, token bytea, mode text)) as r
            join account a on a.chain_id = ${chainId} and a.vault = ${bytes(vault)} and a.payer = r.payer and a.token = r.token
              and a.mode = r.mode`,
      )
      const amounts = await amountsOf(
        tx,
        found.flatMap(({ ids }) => ids ?? []),
      )
      return found.map((row) => ({
        payer: addressOf(row.payer),
        token: addressOf(row.token),
        mode: row.mode,
        reserved: BigInt(row.reserved),
        open: (row.ids ?? []).reduce((sum, id) => sum + (amounts.get(id) ?? 0n), 0n),
      }))
    })
}

async function amountsOf(tx: DbTransaction, ids: readonly string[]): Promise<ReadonlyMap<string, bigint>> {
  if (ids.length === 0) return new Map()
  const found = await query(
    tx,
    sql<{ id: string; amount: string }>`select id, amount from intent where id = any(${ids}::uuid[])`,
  )
  return new Map(found.map(({ id, amount }) => [id, BigInt(amount)]))
}

/** All tokens of the last payer are on the page: the next one starts above the payer. */
export async function accountsAfter(
  database: Database,
  { chainId, vault }: VaultKey,
  payer: Address | undefined,
  countMax: number,
): Promise<readonly AccountKey[]> {
  const found = await query(
    database,
    sql<{ payer: Buffer; token: Buffer; mode: Mode }>`
      select payer, token, mode from account
      where chain_id = ${chainId} and vault = ${bytes(vault)} and payer > ${payer === undefined ? Buffer.alloc(0) : bytes(payer)}::bytea
      order by payer fetch first ${countMax} rows with ties`,
  )
  return found.map(({ payer, token, mode }) => ({ payer: addressOf(payer), token: addressOf(token), mode }))
}

type IntentSums = Pick<DaySums, 'finalized' | 'finalizedCount'>

export async function intentSums(
  database: Database,
  vault: VaultKey,
  range: BlockRange,
): Promise<ReadonlyMap<Address, IntentSums>> {
  const found = await query(
    database,
    sql<{ token: Buffer; finalized: string; count: number }>`
      select token, sum(amount) as finalized, count(*) as count from (${finalIntents(vault, range)}) as i group by token`,
  )
  return new Map(
    found.map((row) => [addressOf(row.token), { finalized: BigInt(row.finalized), finalizedCount: row.count }]),
  )
}
