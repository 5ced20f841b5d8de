import { type RawBuilder, sql } from 'kysely'
import type { Address } from 'viem'
import { bytes } from './codec.ts'
import type { IntentRow } from './intent-row.ts'
import { isRecent } from './open-window.ts'

export type SignedRow = IntentRow & { readonly signature: Buffer }

/**
 * By payer, those that wait longest first, and of each in the order of the sequences up to the first that is not due: one
 * that was refused once has a later `retry_at` than all that follow it, and they cannot settle without it.
 */
export function chainedWaiting({
  open,
  isDue,
  chainId,
  vault,
  token,
  countMax,
  except,
}: {
  /** Of `i`, an intent: whether it is a chained one of this token that may be open, and whether it is due. */
  readonly open: RawBuilder<unknown>
  readonly isDue: RawBuilder<unknown>
  readonly chainId: number
  readonly vault: Address
  readonly token: Address
  readonly countMax: number
  readonly except: readonly Address[]
}): RawBuilder<SignedRow> {
  return sql<SignedRow>`
  select i.* from (
      select due.payer, min(due.retry_at) as since from (
        select i.payer, i.retry_at from intent i
        where ${open} and ${isDue} and i.payer not in (${onTheirWay(chainId, vault, token)})
          and i.payer <> all(${except.map(bytes)}::bytea[])
          and not exists (
            select from intent p
            where p.chain_id = i.chain_id and p.vault = i.vault and p.payer = i.payer and p.token = i.token and p.mode = i.mode
              and ${isRecent('p.id')} and p.nonce < i.nonce and p.state = 'accepted'
              and (p.retry_at > now() or p.deadline < ceil(extract(epoch from now()))::bigint))
        order by i.retry_at, i.id limit ${countMax}
      ) as due
      group by due.payer
    ) as next
    cross join lateral (
      select i.*, bool_and(${isDue}) over (order by i.nonce) as is_due from intent i
      where ${open} and i.payer = next.payer and i.state = 'accepted' order by i.nonce limit ${countMax}
    ) as i
  where i.is_due
  order by next.since, next.payer, i.nonce limit ${countMax}`
}

/** Payers with a run in a batch that is not included: what follows cannot settle before it, and would only crowd out others. */
const onTheirWay = (chainId: number, vault: Address, token: Address) => sql`
  select p.payer from batch b join intent p on p.batch_id = b.id
  where b.chain_id = ${chainId} and b.vault = ${bytes(vault)} and b.token = ${bytes(token)} and b.mode = 'chained'
    and b.state in ('batched', 'submitted') and ${isRecent('b.id')} and ${isRecent('p.id')}`
