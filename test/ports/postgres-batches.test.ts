import { testBatches } from './batches.suite.ts'
import { postgresBooks } from './postgres-books.ts'

testBatches('Postgres', await postgresBooks())
