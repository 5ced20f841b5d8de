import { readdir, readFile } from 'node:fs/promises'
import { sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import type { Database } from './database.ts'

const folder = new URL('./migrations/', import.meta.url)

/** Brings the schema up to date; forward only. Safe when several processes start at once: the migrator takes a lock. */
export async function migrate(database: Database): Promise<void> {
  const migrator = new Migrator({
    db: database,
    provider: {
      getMigrations: async () => {
        const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
        const read = async (name: string) => {
          const text = await readFile(new URL(name, folder), 'utf8')
          return [name, { up: async (db: Database) => void (await sql.raw(text).execute(db)) }] as const
        }
        return Object.fromEntries(await Promise.all(names.map(read)))
      },
    },
  })
  const { error } = await migrator.migrateToLatest()
  if (error !== undefined) throw new Error('the database schema could not be brought up to date', { cause: error })
}
