import { sql } from 'kysely'
import type { Address, Hex } from 'viem'
import type { LedgerEntry } from '../../core/ledger.ts'
import { byteaText, newId, uuidOfOwn } from './codec.ts'
import type { DbTransaction } from './database.ts'

export type PlacedEntry = LedgerEntry & {
  readonly chainId: number
  readonly vault: Address
  readonly token: Address
  readonly intentId: string | undefined
  readonly batchId: string | undefined
  readonly blockNumber: bigint | undefined
  readonly txHash: Hex | undefined
  readonly logIndex: number | undefined
}

/** Writes entries as they are; the database refuses one that does not balance, and any later change. */
export async function storeLedgerEntries(tx: DbTransaction, entries: readonly PlacedEntry[]): Promise<void> {
  if (entries.length === 0) return
  const set = entries.map((entry) => ({
    id: uuidOfOwn('le', newId('le')),
    kind: entry.kind,
    chain: entry.chainId,
    vault: byteaText(entry.vault),
    token: byteaText(entry.token),
    intent: entry.intentId === undefined ? null : uuidOfOwn('pi', entry.intentId),
    batch: entry.batchId === undefined ? null : uuidOfOwn('sb', entry.batchId),
    number: entry.blockNumber === undefined ? null : `${entry.blockNumber}`,
    tx: entry.txHash === undefined ? null : byteaText(entry.txHash),
    log: entry.logIndex ?? null,
    accounts: entry.postings.map(({ account }) => account),
    amounts: entry.postings.map(({ amount }) => `${amount}`),
  }))
  await sql`
    insert into ledger_entry (id, kind, chain_id, vault, token, intent_id, batch_id, block_number, tx_hash, log_index, accounts, amounts)
    select id, kind, chain, vault, token, intent, batch, number, tx, log, accounts, amounts
    from jsonb_to_recordset(${JSON.stringify(set)}::jsonb) as r(id uuid, kind text, chain bigint, vault bytea, token bytea,
      intent uuid, batch uuid, number bigint, tx bytea, log integer, accounts text[], amounts numeric[])`.execute(tx)
}
