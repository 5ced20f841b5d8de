import { sql } from 'kysely'
import type { App, Apps } from '../../core/ports/apps.ts'
import { appIdPattern } from '../../core/protocol/schema.ts'
import { type Database, query } from './database.ts'

export function createApps(database: Database): Apps {
  return {
    find: (id) => find(database, id),
    put: (app) => put(database, app),
  }
}

async function find(database: Database, id: string): Promise<App | undefined> {
  const [row] = await query(
    database,
    sql<{ id: string; name: string; role: App['role']; secret_sha256: Buffer }>`
      select id, name, role, secret_sha256 from app where id = ${id}`,
  )
  return row && { id: row.id, name: row.name, role: row.role, secretSha256: new Uint8Array(row.secret_sha256) }
}

/** @throws RangeError for an AppID that HTTP Basic cannot carry: such an app could never log in. */
async function put(database: Database, { id, name, role, secretSha256 }: App): Promise<void> {
  if (!appIdPattern.test(id)) throw new RangeError('an AppID is 1 to 128 visible ASCII characters without a colon')
  await sql`
    insert into app (id, name, role, secret_sha256) values (${id}, ${name}, ${role}, ${Buffer.from(secretSha256)})
    on conflict (id) do update
    set name = excluded.name, role = excluded.role, secret_sha256 = excluded.secret_sha256`.execute(database)
}
