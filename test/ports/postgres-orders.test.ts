import { testOrders } from './orders.suite.ts'
import { postgresBooks } from './postgres-books.ts'

testOrders('Postgres', await postgresBooks())
