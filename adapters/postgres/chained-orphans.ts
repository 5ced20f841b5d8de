import { sql } from 'kysely'
import type { AccountKey } from '../../core/ports/chain.ts'
import { byteaText, bytes } from './codec.ts'
import { query } from './database.ts'
import { columns, type Ended, type EndedRow, endUnpaid, type Scope } from './ending.ts'
import { isRecent } from './open-window.ts'

/**
 * Ends what follows a payment that has died: a chained signature covers all before it, so it is dead as well. Per account,
 * open payments continue what is final, by number and by link; those behind a break have lost their predecessor. Runs after the
 * accounts are read anew.
 */
export async function endOrphans(scope: Scope, accounts: readonly AccountKey[]): Promise<readonly Ended[]> {
  const chained = accounts.filter(({ mode }) => mode === 'chained')
  if (chained.length === 0) return []
  const { tx, chainId, vault } = scope
  const set = chained.map(({ payer, token }) => ({ payer: byteaText(payer), token: byteaText(token) }))
  // A statement of its own: what accept put on top of a payment at the moment of its death, only a later one sees.
  await sql`
    select from jsonb_to_recordset(${JSON.stringify(set)}::jsonb) as r(payer bytea, token bytea)
      join account a on a.chain_id = ${chainId} and a.vault = ${bytes(vault)} and a.payer = r.payer
        and a.token = r.token and a.mode = 'chained'
    order by a.payer, a.token for update of a`.execute(tx)
  return endUnpaid(
    scope,
    await query(
      tx,
      sql<EndedRow>`
        with open as (
          select i.id, i.payer, i.token, i.nonce,
            i.nonce <> a.top_nonce + row_number() over account
              or i.previous <> coalesce(lag(i.link) over account, a.head) as is_broken
          from (select distinct * from jsonb_to_recordset(${JSON.stringify(set)}::jsonb) as r(payer bytea, token bytea)) as r
            join account a on a.chain_id = ${chainId} and a.vault = ${bytes(vault)} and a.payer = r.payer
              and a.token = r.token and a.mode = 'chained'
            join intent i on i.chain_id = a.chain_id and i.vault = a.vault and i.payer = a.payer and i.token = a.token
              and i.mode = 'chained' and i.nonce > a.top_nonce
          where ${isRecent('i.id')} and i.state in ('held', 'accepted', 'batched')
          window account as (partition by i.payer, i.token order by i.nonce)
        ), lost as (
          select id, bool_or(is_broken) over (partition by payer, token order by nonce) as is_lost from open
        )
        update intent i set state = 'failed', reason = 'previous_failed', updated_at = now()
        from lost
        where i.id = lost.id and ${isRecent('i.id')} and lost.is_lost and i.state in ('held', 'accepted')
          and i.outside_block is null
        returning ${columns}, null::bytea as tx_hash`,
    ),
  )
}
