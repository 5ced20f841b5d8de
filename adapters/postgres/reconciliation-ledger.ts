import { sql } from 'kysely'
import type { Address } from 'viem'
import type { LedgerAccount, LedgerEntry } from '../../core/ledger.ts'
import type { BlockRange, VaultKey } from '../../core/ports/reconciliation.ts'
import type { LedgerBalance, LedgerFacts, LedgerLine } from '../../core/range-facts.ts'
import type { DaySums } from '../../core/reconcile-day.ts'
import { addressOf, byteaText, bytes, hexOf, idOf } from './codec.ts'
import { type Database, query } from './database.ts'
import { entryWindow } from './reconciliation-window.ts'

/** Entries of the range: only those that moved money have a block. */
const within = ({ chainId, vault }: VaultKey, range: BlockRange) => {
  const { low, high } = entryWindow(range)
  return sql`
    chain_id = ${chainId} and vault = ${bytes(vault)} and block_number > ${range.from.number}
    and block_number <= ${range.to.number} and id between ${low} and ${high}`
}

export async function hasMoved(database: Database, vault: VaultKey, range: BlockRange): Promise<boolean> {
  const [row] = await query(
    database,
    sql<{ has_moved: boolean }>`select exists (select from ledger_entry where ${within(vault, range)}) as has_moved`,
  )
  return row?.has_moved === true
}

export async function ledgerFacts(
  database: Database,
  vault: VaultKey,
  range: BlockRange,
  accounts: readonly Pick<LedgerBalance, 'token' | 'account'>[],
): Promise<LedgerFacts> {
  const lines = await ledgerLines(database, vault, range)
  const moved = lines.flatMap(({ token, postings }) => postings.map(({ account }) => ({ token, account })))
  const tokens = [...new Set([...accounts, ...moved].map(({ token }) => token))]
  const holders = tokens.map((token) => ({ token, account: 'vault' }))
  return { lines, balancesBefore: await balances(database, vault, [...accounts, ...moved, ...holders]) }
}

async function ledgerLines(database: Database, vault: VaultKey, range: BlockRange): Promise<readonly LedgerLine[]> {
  type Row = {
    kind: LedgerEntry['kind']
    token: Buffer
    intent_id: string | null
    tx_hash: Buffer | null
    log_index: number | null
    accounts: readonly LedgerAccount[]
    amounts: readonly string[]
  }
  const found = await query(
    database,
    sql<Row>`
      select kind, token, intent_id, tx_hash, log_index, accounts, amounts::text[] as amounts
      from ledger_entry where ${within(vault, range)} order by id`,
  )
  return found.map((row) => ({
    kind: row.kind,
    token: addressOf(row.token),
    intentId: row.intent_id === null ? undefined : idOf('pi', row.intent_id),
    txHash: row.tx_hash === null ? undefined : hexOf(row.tx_hash),
    logIndex: row.log_index ?? undefined,
    postings: row.accounts.map((account, index) => ({ account, amount: BigInt(row.amounts[index] ?? '0') })),
  }))
}

/** At the end of the range before; what is not there is zero. */
async function balances(
  database: Database,
  { chainId, vault }: VaultKey,
  accounts: readonly Pick<LedgerBalance, 'token' | 'account'>[],
): Promise<readonly LedgerBalance[]> {
  const set = accounts.map(({ token, account }) => ({ token: byteaText(token), account }))
  const found = await query(
    database,
    sql<{ token: Buffer; account: string; balance: string }>`
      select b.token, b.account, b.balance
      from (select distinct token, account from jsonb_to_recordset(${JSON.stringify(set)}::jsonb) as r(token bytea, account text)) as r
        join reconciled_balance b on b.chain_id = ${chainId} and b.vault = ${bytes(vault)} and b.token = r.token and b.account = r.account`,
  )
  return found.map(({ token, account, balance }) => ({ token: addressOf(token), account, amount: BigInt(balance) }))
}

type LedgerSums = Pick<DaySums, 'deposits' | 'withdrawals' | 'posted' | 'postedCount' | 'payouts'>

/** Debits by kind: what an entry moved. */
export async function ledgerSums(
  database: Database,
  vault: VaultKey,
  range: BlockRange,
): Promise<ReadonlyMap<Address, LedgerSums>> {
  const debits = (kind: LedgerEntry['kind']) =>
    sql<string>`coalesce(sum((select sum(amount) from unnest(amounts) as amount where amount > 0)) filter (where kind = ${kind}), 0)`
  type Row = {
    token: Buffer
    deposits: string
    withdrawals: string
    posted: string
    posted_count: number
    payouts: string
  }
  const found = await query(
    database,
    sql<Row>`
      select token, ${debits('deposit')} as deposits, ${debits('withdrawal')} as withdrawals, ${debits('posted')} as posted,
        count(*) filter (where kind = 'posted') as posted_count, ${debits('payout')} as payouts
      from ledger_entry where ${within(vault, range)} group by token`,
  )
  return new Map(
    found.map((row) => [
      addressOf(row.token),
      {
        deposits: BigInt(row.deposits),
        withdrawals: BigInt(row.withdrawals),
        posted: BigInt(row.posted),
        postedCount: row.posted_count,
        payouts: BigInt(row.payouts),
      },
    ]),
  )
}
