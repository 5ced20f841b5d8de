import { createPostgresBackend, createRedisBackend, withBackend } from 'bullmq'
import { Redis } from 'ioredis'
import { within } from './deadline.ts'

export type Connection = { readonly postgres: string } | { readonly redis: string }
export type Process = (job: { readonly name: string; readonly data: unknown }) => Promise<void>

/** The part of BullMQ's queue and worker that differs by what they run on: connecting, and letting go of it. */
export type Backend = {
  readonly openQueue: () => Opened & {
    readonly add: (job: { name: string; data: object; dedupeBy: string; delayMillis: number }) => Promise<unknown>
  }
  readonly openWorker: (process: Process) => Opened
}
type Opened = { readonly ready: () => Promise<unknown>; readonly close: () => Promise<void> }

const queueName = 'wake-ups'
/** The braces put every key into one slot of a Redis Cluster. */
const redisPrefix = '{ice}'
const postgresSchema = 'bullmq'

const connectMillisMax = 10_000
/** Bounds one send, so that a queue that hangs does not hang its callers. */
export const sendMillisMax = 1_000
const finishMillisMax = 4_000
const closeMillisMax = 5_000
const reconnectMillisMax = 1_000
const disconnectMillisMax = 200

const queueOptions = { streams: { events: { maxLen: 100 } } } as const
const workerOptions = {
  /** More than stages times chains: a wake-up of a stage that runs joins its turn and frees its place at once. */
  concurrency: 64,
  /** A killed process holds back the wake-ups of the stages it ran for about the sum of these two, in milliseconds. */
  lockDuration: 10_000,
  stalledInterval: 5_000,
  runRetryDelay: reconnectMillisMax,
} as const

export function openBackend(connection: Connection, onError: (error: Error) => void): Backend {
  return 'postgres' in connection ? onPostgres(connection.postgres, onError) : onRedis(connection.redis, onError)
}

function onPostgres(url: string, onError: (error: Error) => void): Backend {
  const { Queue, Worker } = withBackend(createPostgresBackend)
  const connection = {
    connectionString: url,
    schema: postgresSchema,
    migrate: true,
    connectionTimeoutMillis: sendMillisMax,
    query_timeout: connectMillisMax,
    keepAlive: true,
  }
  return {
    openQueue() {
      const queue = new Queue(queueName, { ...queueOptions, connection: { ...connection, max: 2 } })
      queue.on('error', onError)
      return { ...opened(queue), add: adder(queue) }
    },
    openWorker(process) {
      const worker = new Worker(queueName, process, { ...workerOptions, connection: { ...connection, max: 4 } })
      worker.on('error', onError)
      return opened(closedByForce(worker))
    },
  }
}

function onRedis(url: string, onError: (error: Error) => void): Backend {
  const { Queue, Worker } = withBackend(createRedisBackend)
  return {
    openQueue() {
      // Commands of a lost connection fail at once instead of piling up until Redis is back.
      const failFast = { enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: sendMillisMax }
      const { redis, disconnect } = connectRedis(url, failFast, onError)
      const queue = new Queue(queueName, { ...queueOptions, connection: redis, prefix: redisPrefix })
      queue.on('error', onError)
      return { ...opened(queue, disconnect), add: adder(queue) }
    },
    openWorker(process) {
      const { redis, disconnect } = connectRedis(url, { maxRetriesPerRequest: null }, onError)
      const worker = new Worker(queueName, process, { ...workerOptions, connection: redis, prefix: redisPrefix })
      worker.on('error', onError)
      return opened(closedByForce(worker), disconnect)
    },
  }
}

type RedisSettings = {
  readonly maxRetriesPerRequest: number | null
  readonly enableOfflineQueue?: boolean
  readonly commandTimeout?: number
}

/** BullMQ duplicates the connection for its blocking reads; `disconnect` cuts the duplicates as well. */
function connectRedis(url: string, options: RedisSettings, onError: (error: Error) => void) {
  let isCut = false
  // BullMQ may still try to reconnect a connection that was cut; without this it would try for ever.
  const retryStrategy = (times: number) => (isCut ? null : Math.min(times * 100, reconnectMillisMax))
  const redis = new Redis(url, { retryStrategy, disconnectTimeout: disconnectMillisMax, ...options })
  const all = [redis]
  redis.on('error', onError)
  const duplicateOf = redis.duplicate.bind(redis)
  redis.duplicate = (override) => {
    const duplicate = duplicateOf(override)
    duplicate.on('error', onError)
    all.push(duplicate)
    return duplicate
  }
  return {
    redis,
    disconnect() {
      isCut = true
      for (const connection of all) connection.disconnect()
    },
  }
}

type Added = (name: string, data: object, options: object) => Promise<unknown>
function adder(queue: { readonly add: Added }) {
  return ({ name, data, dedupeBy, delayMillis }: Parameters<ReturnType<Backend['openQueue']>['add']>[0]) =>
    queue.add(name, data, {
      delay: delayMillis,
      deduplication: { id: dedupeBy, keepLastIfActive: true },
      attempts: 1,
      removeOnComplete: true,
      removeOnFail: true,
    })
}

type Client = {
  waitUntilReady(): Promise<unknown>
  close(): Promise<unknown>
}

/** `cut` ends what a close leaves open, or did not get done in time because the other side is gone. */
function opened(client: Client, cut: () => void = () => undefined): Opened {
  let closing: Promise<void> | undefined
  const close = async () => {
    // Whatever could not be told to a server that is gone, it finds out by itself: locks expire, connections end.
    await within(closeMillisMax, () => client.close(), 'closing').catch(() => undefined)
    cut()
  }
  return {
    ready: () => within(connectMillisMax, () => client.waitUntilReady(), 'connecting'),
    close() {
      closing ??= close()
      return closing
    },
  }
}

/**
 * A worker's own `close` waits for ever when its server is gone, and cannot be forced once it waits. So it is paused
 * first, which waits for the running jobs to be booked as done, and then closed by force.
 */
function closedByForce(worker: {
  waitUntilReady(): Promise<unknown>
  pause(): Promise<unknown>
  close(force: boolean): Promise<unknown>
}): Client {
  return {
    waitUntilReady: () => worker.waitUntilReady(),
    async close() {
      await within(finishMillisMax, () => worker.pause(), 'finishing').catch(() => undefined)
      await worker.close(true)
    },
  }
}
