import { sql } from 'kysely'
import { RelayError } from '../../core/errors.ts'
import type { CancelOutcome, Intents } from '../../core/ports/intents.ts'
import { bytes, uuidOf } from './codec.ts'
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
      const state = await lockIntent(tx, uuid)
      if (state === undefined) return notFound(request.id)
      if (state !== 'held' && state !== 'accepted' && state !== 'cancelling')
        return { outcome: 'not_cancellable', state }
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
