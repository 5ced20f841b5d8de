import { testSeveral } from './several.suite.ts'

testSeveral('one Postgres')
