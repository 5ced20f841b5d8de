import { createMemoryRateLimit } from '../../adapters/memory/rate-limit.ts'
import { testRateLimit } from './rate-limit.suite.ts'

testRateLimit('memory', createMemoryRateLimit)
