import { afterAll, expect, test } from 'vitest'
import { freePort } from '../../scripts/embedded/port.ts'
import { run } from '../life/local.ts'
import { startRedis } from './redis-server.ts'

const redis = await startRedis()
afterAll(redis.stop)

test('the whole story runs with its wake-ups on Redis, and Redis is flushed in the middle of it', async () => {
  const { process: story, ended } = run(['--once', '--port', `${await freePort()}`], { REDIS_URL: redis.url })
  story.stdout?.on('data', (chunk: Buffer) => {
    if (chunk.toString().includes('acknowledged')) void redis.flushAll()
  })
  const { code, text } = await ended
  expect(text).toContain('71 payments are final')
  expect({ code, text }).toMatchObject({ code: 0 })
})
