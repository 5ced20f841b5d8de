import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { startProgram } from '../../scripts/embedded/child.ts'
import { freePort } from '../../scripts/embedded/port.ts'

/** A real Redis on a free port of 127.0.0.1 that keeps nothing on disk: after a restart it is empty. */
export type RedisServer = {
  readonly url: string
  /** Kills it and starts it again on the same port. */
  readonly restart: () => Promise<void>
  readonly flushAll: () => Promise<void>
  /** Kills it; `restart` brings it back. */
  readonly kill: () => Promise<void>
  readonly stop: () => Promise<void>
}

export async function startRedis(): Promise<RedisServer> {
  if (spawnSync('redis-server', ['--version']).error !== undefined) {
    throw new Error('The program redis-server is missing: install it with apt-get install redis-server.')
  }
  const port = await freePort()
  const directory = await mkdtemp(join(tmpdir(), 'ice-redis-'))
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory, '--save', '', '--appendonly', 'no']
  const url = `redis://127.0.0.1:${port}`

  const start = async () => {
    const child = await startProgram({ command: 'redis-server', args, stopSignal: 'SIGKILL' })
    await ask(url, (redis) => redis.ping())
    return child
  }
  let child = await start()
  return {
    url,
    kill: () => child.stop(),
    async restart() {
      await child.stop()
      child = await start()
    },
    flushAll: () => ask(url, (redis) => redis.flushall()),
    async stop() {
      await child.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function ask(url: string, question: (redis: Redis) => Promise<unknown>): Promise<void> {
  const redis = new Redis(url, { retryStrategy: () => 20, maxRetriesPerRequest: 500 })
  // A refused connection while the server starts is what the retries are for.
  redis.on('error', () => undefined)
  try {
    await question(redis)
  } finally {
    redis.disconnect()
  }
}
