import { sql } from 'kysely'
import { type AccountState, judgeNonce, nextNonce } from '../../core/account.ts'
import { accountId } from '../../core/admit.ts'
import { RelayError } from '../../core/errors.ts'
import type { AccountRecord, Accounts, VaultAccount } from '../../core/ports/accounts.ts'
import { findChainView } from './chain-view.ts'
import { chainedTails } from './chained-tails.ts'
import { bytes, hexOf } from './codec.ts'
import { retryContention } from './contention.ts'
import { type Database, type DbTransaction, inTransaction, query } from './database.ts'

export function createAccounts(database: Database): Accounts {
  return {
    find: (account) => find(database, account),
    introduce: (account, state, asOfBlock) => introduce(database, account, state, asOfBlock),
    refreshWallet: async (account, { final, head, asOfBlock }) => {
      await sql`
        update account set
          balance = case when reserved = 0 then ${head.balance}::numeric else greatest(${final.balance}::numeric, ${head.balance}::numeric) end,
          allowance = case when reserved = 0 then ${head.allowance ?? 0n}::numeric
            else greatest(${final.allowance ?? 0n}::numeric, ${head.allowance ?? 0n}::numeric) end
        where ${isOf(account)} and mode = 'pull' and as_of_block <= ${asOfBlock}`.execute(database)
    },
    reserveNonce: (account, { expiresAt, nowSeconds }) =>
      retryContention(() =>
        inTransaction(database, async (tx) => {
          const state = await lock(tx, account)
          await dropExpired(tx, account, nowSeconds)
          const taken = await nonces(tx, account)
          const nonce =
            nextNonce(
              state,
              taken.map((each) => each.nonce),
            ) ?? oldestUnsigned(state, taken)
          if (nonce === undefined) return 'full'
          await reserve(tx, account, { nonce, expiresAt })
          return nonce
        }),
      ),
    view: (chainId, vault) => findChainView(database, chainId, vault),
  }
}

/** The columns of `account` that hold the vault's word. */
export type AccountRow = {
  readonly balance: string
  readonly withdraw_amount: string
  readonly top_nonce: number
  readonly nonce_window: string
  readonly relayer_id: number
  readonly is_rebinding: boolean
  readonly head: Buffer | null
  readonly allowance: string | null
}

export function accountStateOf(row: AccountRow): AccountState {
  return {
    balance: BigInt(row.balance),
    topNonce: BigInt(row.top_nonce),
    nonceWindow: BigInt(row.nonce_window),
    relayerId: row.relayer_id,
    withdrawAmount: BigInt(row.withdraw_amount),
    isRebinding: row.is_rebinding,
    ...(row.head === null ? {} : { head: hexOf(row.head) }),
    ...(row.allowance === null ? {} : { allowance: BigInt(row.allowance) }),
  }
}

const isOf = ({ chainId, vault, payer, token, mode }: VaultAccount) => sql<boolean>`
  chain_id = ${chainId} and vault = ${bytes(vault)} and payer = ${bytes(payer)} and token = ${bytes(token)} and mode = ${mode}`

async function find(database: Database, account: VaultAccount): Promise<AccountRecord | undefined> {
  type Row = AccountRow & { reserved: string; as_of_block: number; open_nonces: readonly string[] }
  const [row] = await query(
    database,
    sql<Row>`
      select *, array(select nonce from intent_nonce where ${isOf(account)} and intent_id is not null order by nonce) as open_nonces
      from account where ${isOf(account)}`,
  )
  if (row === undefined) return undefined
  const tails = account.mode === 'chained' ? await chainedTails(database, [account]) : undefined
  return {
    state: accountStateOf(row),
    reserved: BigInt(row.reserved),
    openNonces: row.open_nonces.map(BigInt),
    tail: tails?.get(accountId(account)),
    asOfBlock: BigInt(row.as_of_block),
  }
}

/**
 * The share lock on the chain's view makes finality wait for us or us for it: what was read at one final block is never
 * stored after finality has moved past it without looking at this account.
 */
async function introduce(
  database: Database,
  { chainId, vault, payer, token, mode }: VaultAccount,
  state: AccountState,
  asOfBlock: bigint,
): Promise<'stored' | 'stale'> {
  const current = await query(
    database,
    sql`
      with current as (
        select chain_id, vault, finalized_number from chain_view
        where chain_id = ${chainId} and vault = ${bytes(vault)} and finalized_number = ${asOfBlock}
        for share
      ), stored as (
        insert into account (chain_id, vault, payer, token, mode, balance, allowance, withdraw_amount, top_nonce,
          nonce_window, head, relayer_id, is_rebinding, as_of_block)
        select chain_id, vault, ${bytes(payer)}::bytea, ${bytes(token)}::bytea, ${mode}, ${state.balance}::numeric,
          ${state.allowance ?? null}::numeric, ${state.withdrawAmount}::numeric, ${state.topNonce}::bigint,
          ${state.nonceWindow}::numeric, ${state.head === undefined ? null : bytes(state.head)}::bytea,
          ${state.relayerId}::bigint, ${state.isRebinding}::boolean, finalized_number
        from current
        on conflict do nothing
      )
      select 1 from current`,
  )
  return current.length === 1 ? 'stored' : 'stale'
}

/** The row lock serialises this with payments of the same payer and with other reservations. */
async function lock(tx: DbTransaction, account: VaultAccount): Promise<AccountState> {
  const [row] = await query(tx, sql<AccountRow>`select * from account where ${isOf(account)} for update`)
  if (row === undefined) {
    throw new RelayError('internal', `account ${account.payer} on chain ${account.chainId} has not been introduced`)
  }
  return accountStateOf(row)
}

async function dropExpired(tx: DbTransaction, account: VaultAccount, nowSeconds: number): Promise<void> {
  await sql`
    delete from intent_nonce
    where ${isOf(account)} and intent_id is null and expires_at < ${nowSeconds}`.execute(tx)
}

type TakenNonce = { readonly nonce: bigint; readonly isSigned: boolean }

/** Those of open payments and those handed out but not signed yet, the oldest first: two prepares never get the same. */
async function nonces(tx: DbTransaction, account: VaultAccount): Promise<readonly TakenNonce[]> {
  const rows = await query(
    tx,
    sql<{ nonce: number; is_signed: boolean }>`
      select nonce, intent_id is not null as is_signed from intent_nonce where ${isOf(account)} order by expires_at`,
  )
  return rows.map((row) => ({ nonce: BigInt(row.nonce), isSigned: row.is_signed }))
}

/**
 * When every nonce is handed out, the one that has waited longest for a signature is handed out again: anybody may ask
 * for a payer's typed data, and must not be able to lock the payer out. If both are signed after all, one of them settles.
 */
function oldestUnsigned(state: AccountState, taken: readonly TakenNonce[]): bigint | undefined {
  const signed = taken.filter(({ isSigned }) => isSigned).map(({ nonce }) => nonce)
  return taken.find(({ nonce, isSigned }) => !isSigned && judgeNonce(state, signed, nonce) === 'ok')?.nonce
}

async function reserve(
  tx: DbTransaction,
  { chainId, vault, payer, token, mode }: VaultAccount,
  { nonce, expiresAt }: { nonce: bigint; expiresAt: bigint },
): Promise<void> {
  await sql`
    insert into intent_nonce (chain_id, vault, payer, token, mode, nonce, expires_at)
    values (${chainId}, ${bytes(vault)}, ${bytes(payer)}, ${bytes(token)}, ${mode}, ${nonce}, ${expiresAt})
    on conflict (chain_id, vault, payer, token, mode, nonce) do update set expires_at = excluded.expires_at`.execute(tx)
}
