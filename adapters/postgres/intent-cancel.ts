import { sql } from 'kysely'
import { RelayError } from '../../core/errors.ts'
import type { CancelOutcome, Intents } from '../../core/ports/intents.ts'
import { chainedTails } from './chained-tails.ts'
import { addressOf, bytes, uuidOf } from './codec.ts'
import { retryContention } from './contention.ts'
import { type Database, type DbTransaction, inTransaction, query } from './database.ts'
import { lockIntent } from './intent-row.ts'

type Request = Parameters<Intents['cancel']>[0]

/** A payment that is cancelling already stays so, and a signature that comes later is taken. */
export async function cancel(database: Database, request: Request): Promise<CancelOutcome> {
  const uuid = uuidOf('pi', request.id)
  if (uuid === undefined) return notFound(request.id)
  return retryContention(() =>
    inTransaction(database, async (tx): Promise<CancelOutcome> => {
      const isFollowed = await isFollowedUnderLock(tx, uuid)
      const state = await lockIntent(tx, uuid)
      if (state === undefined) return notFound(request.id)
      if (state !== 'held' && state !== 'accepted' && state !== 'cancelling')
        return { outcome: 'not_cancellable', state }
      if (isFollowed && state !== 'cancelling') return { outcome: 'followed' }
      if (!request.isConsented && state !== 'cancelling' && (await isPromised(tx, uuid))) return { outcome: 'promised' }
      if (state !== 'cancelling') await markCancelling(tx, uuid, request.reason)
      if (request.cancel !== undefined) await storeCancellation(tx, uuid, request.cancel)
      return { outcome: 'cancelling' }
    }),
  )
}

function notFound(id: string): never {
  throw new RelayError('not_found', `there is no payment ${id}`)
}

/**
 * Whether another open payment continues this chained one. Under the account's lock, taken before the payment's as accept
 * and finality do, so that none can follow from here on.
 */
async function isFollowedUnderLock(tx: DbTransaction, uuid: string): Promise<boolean> {
  type Row = { chain_id: number; vault: Buffer; payer: Buffer; token: Buffer; nonce: number }
  const [row] = await query(
    tx,
    sql<Row>`select chain_id, vault, payer, token, nonce from intent where id = ${uuid} and mode = 'chained'`,
  )
  if (row === undefined) return false
  const { chain_id: chainId, nonce } = row
  await sql`
    select from account
    where chain_id = ${chainId} and vault = ${row.vault} and payer = ${row.payer} and token = ${row.token} and mode = 'chained'
    for update`.execute(tx)
  const account = { chainId, vault: addressOf(row.vault), payer: addressOf(row.payer), token: addressOf(row.token) }
  const [tail] = (await chainedTails(tx, [account])).values()
  return tail !== undefined && tail.sequence > BigInt(nonce)
}

async function isPromised(tx: DbTransaction, uuid: string): Promise<boolean> {
  const [row] = await query(tx, sql<{ guarantee: string | null }>`select guarantee from intent where id = ${uuid}`)
  return row?.guarantee === 'collateralised'
}

async function markCancelling(tx: DbTransaction, uuid: string, reason: string): Promise<void> {
  await sql`
    update intent set state = 'cancelling', reason = ${reason}, updated_at = now() where id = ${uuid}`.execute(tx)
}

/** A newer signature replaces one that has not been sent: the older one's deadline may have passed. */
async function storeCancellation(
  tx: DbTransaction,
  uuid: string,
  { signature, deadline }: NonNullable<Request['cancel']>,
): Promise<void> {
  await sql`
    insert into cancellation as c (intent_id, signature, deadline) values (${uuid}, ${bytes(signature)}, ${deadline})
    on conflict (intent_id) do update
    set signature = excluded.signature, deadline = excluded.deadline, retry_at = now()
    where c.batch_id is null`.execute(tx)
}
