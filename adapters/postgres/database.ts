import { Kysely, PostgresDialect, type RawBuilder, type Transaction } from 'kysely'
import { Pool, types } from 'pg'

/** Statements are written as SQL with Kysely's `sql` template, which binds their values; no query builder. */
export type Database = Kysely<Record<never, never>>
/** A DB transaction: what a function takes that must not commit by itself. */
export type DbTransaction = Transaction<Record<never, never>>

// int8 holds block numbers, seconds and counts here, all far below 2^53. Money is numeric and arrives as a string.
types.setTypeParser(types.builtins.INT8, Number)

/** @param poolMax connections that this process may open. */
export function connectDatabase({
  url,
  poolMax = 20,
  onIdleError,
}: {
  url: string
  poolMax?: number
  /** Hears of idle connections that broke; they are replaced by themselves. */
  onIdleError: (error: Error) => void
}): Database {
  const pool = new Pool({
    connectionString: url,
    max: poolMax,
    connectionTimeoutMillis: 5_000,
    // A statement that hangs must not hold a payer's row for ever.
    statement_timeout: 15_000,
    idle_in_transaction_session_timeout: 15_000,
  })
  pool.on('error', onIdleError)
  return new Kysely({ dialect: new PostgresDialect({ pool }) })
}

/** Runs one statement and returns its rows. */
export async function query<Row>(
  database: Database | DbTransaction,
  statement: RawBuilder<Row>,
): Promise<readonly Row[]> {
  return (await statement.execute(database)).rows
}

/** Runs `work` in one DB transaction; a throw rolls it back. READ COMMITTED: rows that matter are locked explicitly. */
export function inTransaction<Result>(
  database: Database,
  work: (tx: DbTransaction) => Promise<Result>,
): Promise<Result> {
  return database.transaction().execute(work)
}
