/**
 * Stands in for the npm package sqlite3, which downloads or compiles a native addon, for the one program here that asks
 * for it: arlocal, through knex. Node 24 has SQLite itself. Only the methods that knex calls.
 */
const { DatabaseSync } = require('node:sqlite')

class Database {
  constructor(filename, _flags, onOpen) {
    this.database = undefined
    answer(this, onOpen, () => {
      this.database = new DatabaseSync(filename)
    })
  }

  run(sql, bindings, done) {
    const context = { lastID: 0, changes: 0 }
    answer(context, done, () => {
      const { lastInsertRowid, changes } = this.database.prepare(sql).run(...valuesOf(bindings))
      context.lastID = Number(lastInsertRowid)
      context.changes = Number(changes)
    })
  }

  all(sql, bindings, done) {
    answer({}, done, () =>
      this.database
        .prepare(sql)
        .all(...valuesOf(bindings))
        .map((row) => ({ ...row })),
    )
  }

  close(done) {
    answer(this, done, () => this.database.close())
  }
}

/** Callbacks come later, as with the native package, never inside the call. */
function answer(context, done, work) {
  let result
  let failure = null
  try {
    result = work()
  } catch (error) {
    failure = error
  }
  setImmediate(() => done.call(context, failure, result))
}

/** As the native package binds them: lists and objects become text. */
function valuesOf(bindings) {
  return (bindings ?? []).map((value) => {
    if (value === undefined || value === null) return null
    if (typeof value === 'boolean') return value ? 1 : 0
    if (value instanceof Date) return value.getTime()
    return typeof value === 'object' && !ArrayBuffer.isView(value) ? `${value}` : value
  })
}

module.exports = { Database, OPEN_READWRITE: 2, OPEN_CREATE: 4 }
