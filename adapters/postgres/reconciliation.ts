import { sql } from 'kysely'
import type { Cursor, FinalBlock, OpenDay, Reconciliation, VaultKey } from '../../core/ports/reconciliation.ts'
import { addressOf, bytes, hexOf } from './codec.ts'
import { type Database, query } from './database.ts'
import { auditRecordFacts, nextUnbuilt, overdueCopies, overdueRecord } from './reconciliation-audit.ts'
import { deliveryFacts, overdueEndpoints } from './reconciliation-deliveries.ts'
import { accountsAfter, intentFacts, intentSums, reservations } from './reconciliation-intents.ts'
import { type SettlementJson, settlementOf, type TotalsJson, totalsOfJson } from './reconciliation-json.ts'
import { hasMoved, ledgerFacts, ledgerSums } from './reconciliation-ledger.ts'
import { storeReconciliation } from './reconciliation-store.ts'

/** One UTC day. */
const daySeconds = 86_400

export function createReconciliation(database: Database): Reconciliation {
  return {
    lease: (vault, holder, leaseMillis) => lease(database, vault, holder, leaseMillis),
    release: async ({ chainId, vault }, holder) => {
      await sql`
        update reconciliation_cursor set holder = null, held_until = null
        where chain_id = ${chainId} and vault = ${bytes(vault)} and holder = ${holder}`.execute(database)
    },
    finalBlocks: (vault, above, countMax) => finalBlocks(database, vault, above, countMax),
    hasMoved: (vault, range) => hasMoved(database, vault, range),
    ledger: (vault, range, accounts) => ledgerFacts(database, vault, range, accounts),
    intents: (vault, range, digests) => intentFacts(database, vault, range, digests),
    reservations: (vault, accounts) => reservations(database, vault, accounts),
    accountsAfter: (vault, payer, countMax) => accountsAfter(database, vault, payer, countMax),
    standingSubjects: async ({ chainId, vault }, kind, countMax) => {
      const found = await query(
        database,
        sql<{ subject: string }>`
          select subject from reconciliation_break
          where chain_id = ${chainId} and vault = ${bytes(vault)} and kind = ${kind}
            and (resolved_at is null or (resolution = 'accepted' and lapsed_at is null))
          order by id limit ${countMax}`,
      )
      return found.map(({ subject }) => subject)
    },
    openDay: (vault, recordAgeHoursMax) => openDay(database, vault, recordAgeHoursMax),
    sums: async (vault, range) => {
      const [ledger, intents] = [await ledgerSums(database, vault, range), await intentSums(database, vault, range)]
      const tokens = new Set([...ledger.keys(), ...intents.keys()])
      return [...tokens].map((token) => ({
        token,
        ...{ deposits: 0n, withdrawals: 0n, posted: 0n, postedCount: 0, payouts: 0n, ...ledger.get(token) },
        ...{ finalized: 0n, finalizedCount: 0, ...intents.get(token) },
      }))
    },
    finalBlockAt: (vault, number) => finalBlockAt(database, vault, number),
    deliveries: (intentIds) => deliveryFacts(database, intentIds),
    auditRecords: (vault, range, txHashes) => auditRecordFacts(database, vault, range, txHashes),
    // What is ours to fulfil comes first: whoever cuts the list loses the endpoints of others.
    overdue: async (vault, olderThanHours, countMax) => [
      ...(await overdueRecord(database, vault, olderThanHours)),
      ...(await overdueCopies(database, vault, olderThanHours, countMax)),
      ...(await overdueEndpoints(database, vault, olderThanHours, countMax)),
    ],
    store: (vault, reconciliation) => storeReconciliation(database, vault, reconciliation),
  }
}

/** The cursor starts at the lowest final block that is recorded: everything above is compared. */
async function lease(
  database: Database,
  key: VaultKey,
  holder: string,
  leaseMillis: number,
): Promise<Cursor | undefined> {
  const { chainId, vault } = key
  type Row = { block_number: number; day: number | null; range_id: string | null }
  const [row] = await query(
    database,
    sql<Row>`
      insert into reconciliation_cursor as c (chain_id, vault, block_number, holder, held_until)
      select chain_id, vault, min(number), ${holder}, now() + ${leaseMillis} * interval '1 millisecond'
      from final_block where chain_id = ${chainId} and vault = ${bytes(vault)} group by chain_id, vault
      on conflict (chain_id, vault) do update set holder = excluded.holder, held_until = excluded.held_until
      where c.holder is null or c.holder = excluded.holder or c.held_until < now()
      returning block_number, day, range_id`,
  )
  if (row === undefined) return undefined
  const block = await finalBlockAt(database, key, BigInt(row.block_number))
  if (block === undefined) throw new Error(`final block ${row.block_number}, where reconciliation stands, is gone`)
  const held = row.range_id === null ? await heldAtStart(database, key) : await heldAfter(database, row.range_id)
  return { block, held, day: row.day ?? undefined }
}

/** Where nothing was ever reconciled, what the ledger says is where we start: nothing, in books that are new. */
async function heldAtStart(database: Database, { chainId, vault }: VaultKey): Promise<Cursor['held']> {
  const found = await query(
    database,
    sql<{ token: Buffer; balance: string }>`
      select token, balance from reconciled_balance
      where chain_id = ${chainId} and vault = ${bytes(vault)} and account = 'vault'`,
  )
  return new Map(found.map(({ token, balance }) => [addressOf(token), BigInt(balance)]))
}

async function heldAfter(database: Database, rangeId: string): Promise<Cursor['held']> {
  const [row] = await query(
    database,
    sql<{ totals: readonly TotalsJson[] }>`select totals from reconciliation where id = ${rangeId}`,
  )
  if (row === undefined) throw new Error(`the last reconciliation ${rangeId} is gone`)
  return new Map(row.totals.map(totalsOfJson).map(({ token, chain }) => [token, chain.held]))
}

type FinalBlockRow = { number: number; hash: Buffer; at: number; recorded_at: Date }
const finalBlockOf = (row: FinalBlockRow): FinalBlock => ({
  number: BigInt(row.number),
  hash: hexOf(row.hash),
  at: BigInt(row.at),
  recordedAtMillis: row.recorded_at.getTime(),
})

async function finalBlocks(
  database: Database,
  { chainId, vault }: VaultKey,
  above: bigint,
  countMax: number,
): Promise<readonly FinalBlock[]> {
  const found = await query(
    database,
    sql<FinalBlockRow>`
      select number, hash, at, recorded_at from final_block
      where chain_id = ${chainId} and vault = ${bytes(vault)} and number > ${above} order by number limit ${countMax}`,
  )
  return found.map(finalBlockOf)
}

async function finalBlockAt(
  database: Database,
  { chainId, vault }: VaultKey,
  number: bigint,
): Promise<FinalBlock | undefined> {
  const [row] = await query(
    database,
    sql<FinalBlockRow>`
      select number, hash, at, recorded_at from final_block
      where chain_id = ${chainId} and vault = ${bytes(vault)} and number = ${number}`,
  )
  return row && finalBlockOf(row)
}

/** The day of the first range after the last closed day; open until a range ends on a later day and its records are built. */
async function openDay(database: Database, key: VaultKey, recordAgeHoursMax: number): Promise<OpenDay | undefined> {
  const { chainId, vault } = key
  const [span] = await query(
    database,
    sql<{ day: number; is_over: boolean }>`
      select r.to_at / ${daySeconds}::bigint as day, exists (
        select from reconciliation l
        where l.chain_id = ${chainId} and l.vault = ${bytes(vault)} and l.kind = 'range'
          and l.to_at >= (r.to_at / ${daySeconds}::bigint + 1) * ${daySeconds}::bigint) as is_over
      from reconciliation r
      where r.chain_id = ${chainId} and r.vault = ${bytes(vault)} and r.kind = 'range' and r.to_at >= coalesce((
        select (day + 1) * ${daySeconds}::bigint from reconciliation_cursor
        where chain_id = ${chainId} and vault = ${bytes(vault)}), 0)
      order by r.to_at limit 1`,
  )
  if (span === undefined || !span.is_over) return undefined
  const ranges = await rangesOf(database, key, span.day)
  const [first, last] = [ranges[0], ranges.at(-1)]
  const from = first && (await finalBlockAt(database, key, first.fromBlock))
  const to = last && (await finalBlockAt(database, key, last.toBlock))
  if (from === undefined || to === undefined) throw new Error(`the final blocks of day ${span.day} are gone`)
  // Its records were numbered when the books reached its last block, or before: all of them are as old as that.
  const unbuilt = await nextUnbuilt(database, key)
  const isAwaited = unbuilt !== undefined && unbuilt.blockNumber <= to.number
  if (isAwaited && (await ageHoursOf(database, to)) < recordAgeHoursMax) return undefined
  return { day: span.day, from, to, formerToBlock: await formerToBlock(database, key, span.day), ranges }
}

async function formerToBlock(
  database: Database,
  { chainId, vault }: VaultKey,
  day: number,
): Promise<bigint | undefined> {
  const [row] = await query(
    database,
    sql<{ to_block: number }>`
      select to_block from reconciliation
      where chain_id = ${chainId} and vault = ${bytes(vault)} and kind = 'range' and to_at < ${day * daySeconds}
      order by to_at desc, to_block desc limit 1`,
  )
  return row && BigInt(row.to_block)
}

/** By the database's clock, which wrote it. */
async function ageHoursOf(database: Database, { recordedAtMillis }: FinalBlock): Promise<number> {
  const [row] = await query(
    database,
    sql<{ hours: number }>`
      select (extract(epoch from now())::double precision - ${recordedAtMillis / 1000}::double precision) / 3600 as hours`,
  )
  return row?.hours ?? 0
}

async function rangesOf(database: Database, { chainId, vault }: VaultKey, day: number): Promise<OpenDay['ranges']> {
  type Row = {
    from_block: number
    to_block: number
    totals: readonly TotalsJson[]
    settlements: readonly SettlementJson[]
  }
  const found = await query(
    database,
    sql<Row>`
      select from_block, to_block, totals, settlements from reconciliation
      where chain_id = ${chainId} and vault = ${bytes(vault)} and kind = 'range'
        and to_at >= ${day * daySeconds} and to_at < ${(day + 1) * daySeconds}
      order by to_block`,
  )
  return found.map((row) => ({
    fromBlock: BigInt(row.from_block),
    toBlock: BigInt(row.to_block),
    totals: row.totals.map(totalsOfJson),
    settlements: row.settlements.map(settlementOf),
  }))
}
