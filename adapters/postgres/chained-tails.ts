import { sql } from 'kysely'
import type { Address } from 'viem'
import { accountId } from '../../core/admit.ts'
import type { Tail } from '../../core/chained.ts'
import { addressOf, byteaText, hexOf } from './codec.ts'
import { type Database, type DbTransaction, query } from './database.ts'
import { isRecent } from './open-window.ts'

type ChainedAccount = {
  readonly chainId: number
  readonly vault: Address
  readonly payer: Address
  readonly token: Address
}

/** By account: its last open payment that nobody is cancelling. What it pays is settled, or waits in front of the next. */
export async function chainedTails(
  database: Database | DbTransaction,
  accounts: readonly ChainedAccount[],
): Promise<ReadonlyMap<string, Tail>> {
  if (accounts.length === 0) return new Map()
  const set = accounts.map(({ chainId, vault, payer, token }) => ({
    ...{ chain_id: chainId, vault: byteaText(vault), payer: byteaText(payer), token: byteaText(token) },
  }))
  type Row = {
    chain_id: number
    vault: Buffer
    payer: Buffer
    token: Buffer
    nonce: number
    link: Buffer
    deadline: number
    state: string
  }
  const found = await query(
    database,
    sql<Row>`
      select k.chain_id, k.vault, k.payer, k.token, t.nonce, t.link, t.deadline, t.state
      from (select distinct * from jsonb_to_recordset(${JSON.stringify(set)}::jsonb)
          as r(chain_id bigint, vault bytea, payer bytea, token bytea)) as k
        cross join lateral (
          select i.nonce, i.link, i.deadline, i.state from intent i
          where i.chain_id = k.chain_id and i.vault = k.vault and i.payer = k.payer and i.token = k.token
            and ${isRecent('i.id')} and i.mode = 'chained' and i.state in ('held', 'accepted', 'batched')
          order by i.nonce desc limit 1
        ) as t`,
  )
  return new Map(
    found.map((row) => [
      accountId({
        ...{ chainId: row.chain_id, vault: addressOf(row.vault), payer: addressOf(row.payer) },
        ...{ token: addressOf(row.token), mode: 'chained' },
      }),
      {
        ...{ sequence: BigInt(row.nonce), link: hexOf(row.link), isHeld: row.state === 'held' },
        waitsUntil: row.state === 'batched' ? undefined : BigInt(row.deadline),
      },
    ]),
  )
}
