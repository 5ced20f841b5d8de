import { createApps } from '../../adapters/postgres/apps.ts'
import { testApps } from './apps.suite.ts'
import { freshDatabase } from './postgres-server.ts'

const { database } = await freshDatabase()
testApps('Postgres', createApps(database))
