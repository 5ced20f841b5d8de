import { sql } from 'kysely'
import type { EndpointTerms, WebhookEndpoint, WebhookEndpoints } from '../../core/ports/webhook-endpoints.ts'
import { newId, uuidOf, uuidOfOwn } from './codec.ts'
import { type Database, type DbTransaction, inTransaction, query } from './database.ts'
import { hasten } from './delivery-hasten.ts'
import { type EndpointRow, endpointOf } from './webhook-endpoint-row.ts'

type Created = Awaited<ReturnType<WebhookEndpoints['create']>>

export function createWebhookEndpoints(database: Database): WebhookEndpoints {
  return {
    create: (endpoint) => inTransaction(database, (tx) => create(tx, endpoint)),
    list: async (appId) => (await all(database, appId)).map(endpointOf),
    find: async (appId, id) => {
      const uuid = uuidOf('we', id)
      const rows = await all(database, appId)
      return rows.filter((row) => row.id === uuid).map(endpointOf)[0]
    },
    change: (appId, id, terms) => change(database, appId, id, terms),
    remove: async (appId, id) => (await alter(database, appId, id, sql`deleted_at = now()`)) !== undefined,
    rotate: (appId, id, { overlapSeconds, requestSha256 }) => {
      const hash = Buffer.from(requestSha256)
      const isNew = sql<boolean>`rotation_sha256 is distinct from ${hash}`
      return alter(
        database,
        appId,
        id,
        sql`
          hmac_version = hmac_version + case when ${isNew} then 1 else 0 end,
          former_hmac_until = case when ${isNew} then now() + ${overlapSeconds} * interval '1 second' else former_hmac_until end,
          rotation_sha256 = ${hash}`,
      )
    },
    enable: async (appId, id) => {
      const enabled = await alter(
        database,
        appId,
        id,
        sql`disabled_reason = null, disabled_since = null, failing_since = null`,
      )
      if (enabled !== undefined) await hasten(database, sql`d.endpoint_id = ${uuidOfOwn('we', enabled.id)}`)
      return enabled
    },
    disable: (appId, id) =>
      alter(
        database,
        appId,
        id,
        sql`disabled_reason = coalesce(disabled_reason, 'app'), disabled_since = coalesce(disabled_since, now())`,
      ),
  }
}

/** The lock on the app's row makes those that create at the same time count one after the other. */
async function create(
  tx: DbTransaction,
  { appId, countMax, ...terms }: Parameters<WebhookEndpoints['create']>[0],
): Promise<Created> {
  await sql`select from app where id = ${appId} for update`.execute(tx)
  const existing = await all(tx, appId)
  const same = existing.find(({ url }) => url === terms.url)
  if (same !== undefined) return { outcome: 'exists', endpoint: endpointOf(same) }
  if (existing.length >= countMax) return { outcome: 'full' }
  return { outcome: 'created', endpoint: await insert(tx, appId, terms) }
}

async function insert(
  tx: DbTransaction,
  appId: string,
  { url, states, hasHmac }: EndpointTerms,
): Promise<WebhookEndpoint> {
  const [row] = await query(
    tx,
    sql<EndpointRow>`
      insert into webhook_endpoint (id, app_id, url, states, has_hmac)
      values (${uuidOfOwn('we', newId('we'))}, ${appId}, ${url}, ${states === undefined ? null : [...states]}::text[], ${hasHmac})
      returning *`,
  )
  if (row === undefined) throw new Error('an insert returned nothing')
  return endpointOf(row)
}

/** Few: an app may not have more than a screenful. */
function all(database: Database | DbTransaction, appId: string): Promise<readonly EndpointRow[]> {
  return query(
    database,
    sql<EndpointRow>`select * from webhook_endpoint where app_id = ${appId} and deleted_at is null order by id`,
  )
}

/** Another URL begins without failures. */
async function change(
  database: Database,
  appId: string,
  id: string,
  { url, states, hasHmac }: EndpointTerms,
): Promise<WebhookEndpoint | 'url_taken' | undefined> {
  const wanted = states === undefined ? null : [...states]
  try {
    return await alter(
      database,
      appId,
      id,
      sql`
        failing_since = case when url = ${url} then failing_since end,
        url = ${url}, states = ${wanted}::text[], has_hmac = ${hasHmac}`,
    )
  } catch (error) {
    if ((error as { constraint?: unknown }).constraint === 'webhook_endpoint_once') return 'url_taken'
    throw error
  }
}

/** Undefined if the app has no such endpoint. */
async function alter(
  database: Database,
  appId: string,
  id: string,
  changes: ReturnType<typeof sql>,
): Promise<WebhookEndpoint | undefined> {
  const uuid = uuidOf('we', id)
  if (uuid === undefined) return undefined
  const [row] = await query(
    database,
    sql<EndpointRow>`
      update webhook_endpoint set ${changes}
      where id = ${uuid} and app_id = ${appId} and deleted_at is null
      returning *`,
  )
  return row && endpointOf(row)
}
