import { afterAll } from 'vitest'
import { testSeveral } from '../life/several.suite.ts'
import { startRedis } from './redis-server.ts'

const redis = await startRedis()
afterAll(redis.stop)

testSeveral('one Postgres and one Redis', redis.url)
