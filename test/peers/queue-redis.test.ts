import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createQueue } from '../../adapters/bullmq/queue.ts'
import type { Queue } from '../../core/ports/queue.ts'
import { eventually, listen, newGate, silent, testQueue } from '../ports/queue.suite.ts'
import { type RedisServer, startRedis } from './redis-server.ts'

testQueue('Redis', async () => {
  const redis = await startRedis()
  return { connection: { redis: redis.url }, down: redis.kill, up: redis.restart, stop: redis.stop }
})

describe('a Redis that forgets', { timeout: 60_000 }, () => {
  let redis: RedisServer
  let queue: Queue
  beforeAll(async () => {
    redis = await startRedis()
    queue = await createQueue({ connection: { redis: redis.url }, log: silent, clock: { nowMillis: Date.now } })
  }, 60_000)
  afterAll(async () => {
    await queue?.close()
    await redis?.stop()
  })

  test('an idle worker hears wake-ups after FLUSHALL', async () => {
    const seen = await listen(queue)
    await queue.wake({ stage: 'batch', chainId: 1 })
    await seen.times('batch/1', 1)
    await redis.flushAll()
    await queue.wake({ stage: 'batch', chainId: 1 })
    await seen.times('batch/1', 2)
    await seen.stop()
  })

  test.each([
    ['FLUSHALL', () => redis.flushAll()],
    ['a restart', () => redis.restart()],
  ])('after %s in the middle of a stage it runs once more, after itself and not beside itself', async (_, forget) => {
    const gate = newGate()
    let running = 0
    let runningMax = 0
    const seen = await listen(queue, async ({ stage }) => {
      if (stage === 'submit') return
      runningMax = Math.max(runningMax, ++running)
      await gate.passed
      running--
    })
    await queue.wake({ stage: 'batch', chainId: 2 })
    await seen.times('batch/2', 1)
    await forget()
    await eventually(() => queue.wake({ stage: 'batch', chainId: 2 }))
    // A wake-up of another stage shows that the worker is back at work before the gate opens.
    await eventually(() => queue.wake({ stage: 'submit', chainId: 2 }))
    await seen.times('submit/2', 1)
    gate.open()
    await seen.times('batch/2', 2)
    await seen.stop()
    expect(runningMax).toBe(1)
  })
})
