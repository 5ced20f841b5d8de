import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Connection } from '../../adapters/bullmq/backend.ts'
import { QueueUnavailableError } from '../../adapters/bullmq/deadline.ts'
import { createQueue } from '../../adapters/bullmq/queue.ts'
import type { Log } from '../../core/ports/log.ts'
import type { Queue, Wake } from '../../core/ports/queue.ts'

/** The real server behind the queue, which the suite takes down and brings up again. */
export type QueueServer = {
  readonly connection: Connection
  readonly down: () => Promise<void>
  readonly up: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** What every Queue must do, whatever it runs on. */
export function testQueue(name: string, startServer: () => Promise<QueueServer>): void {
  describe(`wake-ups on ${name}`, { timeout: 60_000 }, () => {
    let server: QueueServer
    const opened: Queue[] = []
    const spawned: ChildProcess[] = []
    beforeAll(async () => {
      server = await startServer()
    }, 120_000)
    afterEach(async () => {
      for (const child of spawned.splice(0)) child.kill('SIGKILL')
      await Promise.all(opened.splice(0).map((queue) => queue.close()))
    })
    afterAll(() => server?.stop())

    const open = async (log: Log = silent) => {
      const queue = await createQueue({ connection: server.connection, log, clock: { nowMillis: Date.now } })
      opened.push(queue)
      return queue
    }

    const spawnProcess = (behaviour: 'hang' | 'close' | 'close when told') => {
      const entry = fileURLToPath(new URL('queue-process.ts', import.meta.url))
      const child = spawn(process.execPath, [entry, JSON.stringify(server.connection), behaviour], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      })
      spawned.push(child)
      return child
    }

    test('four processes that start at once on an empty server all get a queue', async () => {
      expect(await Promise.all([open(), open(), open(), open()])).toHaveLength(4)
    })

    test('a wake-up carries its stage and its chain, and nothing else', async () => {
      const queue = await open()
      const seen = await listen(queue)
      await queue.wake({ stage: 'confirm', chainId: 4_294_967_297, ...{ secret: 'state' } })
      await seen.times('confirm/4294967297', 1)
      expect(seen.wakes).toEqual([{ stage: 'confirm', chainId: 4_294_967_297 }])
    })

    test('a hundred wake-ups of a stage that nobody works on yet are one', async () => {
      const queue = await open()
      await Promise.all(Array.from({ length: 100 }, () => queue.wake({ stage: 'batch', chainId: 1 })))
      await queue.wake({ stage: 'submit', chainId: 1 })
      const seen = await listen(queue)
      await seen.times('submit/1', 1)
      expect(seen.of('batch/1')).toBe(1)
    })

    test('a wake-up that comes while its stage runs is not lost, and a hundred of them are one', async () => {
      const queue = await open()
      const gate = newGate()
      const seen = await listen(queue, () => gate.passed)
      await queue.wake({ stage: 'batch', chainId: 2 })
      await seen.times('batch/2', 1)
      for (let i = 0; i < 100; i++) await queue.wake({ stage: 'batch', chainId: 2 })
      gate.open()
      await seen.times('batch/2', 2)
      await queue.wake({ stage: 'submit', chainId: 2 })
      await seen.times('submit/2', 1)
      expect(seen.of('batch/2')).toBe(2)
    })

    test('one stage of one chain never runs twice at once, also when delayed wake-ups fall due while it runs', async () => {
      const queue = await open()
      let running = 0
      let runningMax = 0
      const seen = await listen(queue, async () => {
        runningMax = Math.max(runningMax, ++running)
        await new Promise((resolve) => setTimeout(resolve, 120))
        running--
      })
      await Promise.all(
        [0, 50, 100, 150].map((delayMillis) => queue.wake({ stage: 'batch', chainId: 3 }, { delayMillis })),
      )
      await seen.times('batch/3', 2)
      expect(runningMax).toBe(1)
    })

    test('a stage that hangs delays neither the other stages nor the other chains', async () => {
      const queue = await open()
      const gate = newGate()
      const seen = await listen(queue, ({ stage, chainId }) =>
        stage === 'batch' && chainId === 4 ? gate.passed : undefined,
      )
      await queue.wake({ stage: 'batch', chainId: 4 })
      await seen.times('batch/4', 1)
      for (let i = 0; i < 80; i++) await queue.wake({ stage: 'batch', chainId: 4 }, { delayMillis: 1 + i * 50 })
      await queue.wake({ stage: 'submit', chainId: 4 })
      await queue.wake({ stage: 'batch', chainId: 5 })
      await seen.times('submit/4', 1)
      await seen.times('batch/5', 1)
      expect(seen.of('batch/4')).toBe(1)
      gate.open()
    })

    test('a wake-up for in an hour swallows neither one for now nor one for soon', async () => {
      const queue = await open()
      const seen = await listen(queue)
      await queue.wake({ stage: 'finalize', chainId: 6 }, { delayMillis: 3_600_000 })
      await queue.wake({ stage: 'finalize', chainId: 6 })
      await seen.times('finalize/6', 1)
      await queue.wake({ stage: 'finalize', chainId: 6 }, { delayMillis: 100 })
      await seen.times('finalize/6', 2)
    })

    test('a handler that throws is logged with its stage and chain, and the next wake-up runs', async () => {
      const lines: object[] = []
      const queue = await open({ ...silent, error: (facts) => lines.push(facts) })
      const seen = await listen(queue, ({ chainId }) => {
        if (chainId === 7) throw new RangeError('a poisoned row')
      })
      await queue.wake({ stage: 'batch', chainId: 7 })
      await seen.times('batch/7', 1)
      await queue.wake({ stage: 'batch', chainId: 7 })
      await seen.times('batch/7', 2)
      await queue.wake({ stage: 'batch', chainId: 8 })
      await seen.times('batch/8', 1)
      expect(lines[0]).toMatchObject({ stage: 'batch', chainId: 7, err: expect.any(RangeError) })
    })

    test('another process takes up a wake-up, once the one that took it was killed', async () => {
      const queue = await open()
      await queue.wake({ stage: 'submit', chainId: 9 })
      const victim = spawnProcess('hang')
      await once(victim, 'message')
      victim.kill('SIGKILL')
      await once(victim, 'exit')
      const seen = await listen(queue)
      await queue.wake({ stage: 'submit', chainId: 9 })
      await seen.times('submit/9', 1)
    })

    test('a process that closed its queue has nothing left open and ends by itself', async () => {
      const worker = spawnProcess('close')
      const [code] = await once(worker, 'exit')
      expect(code).toBe(0)
    })

    test('stop returns while a handler hangs', async () => {
      const queue = await open()
      const gate = newGate()
      const seen = await listen(queue, () => gate.passed)
      await queue.wake({ stage: 'batch', chainId: 10 })
      await seen.times('batch/10', 1)
      await seen.stop()
      gate.open()
    })

    test('while the server is down a wake-up is refused, and when it is back the worker goes on by itself', async () => {
      const queue = await open()
      const seen = await listen(queue)
      await queue.wake({ stage: 'batch', chainId: 11 })
      await seen.times('batch/11', 1)
      await server.down()
      await expect(queue.wake({ stage: 'batch', chainId: 11 })).rejects.toThrow(QueueUnavailableError)
      await expect(open()).rejects.toThrow(QueueUnavailableError)
      await server.up()
      await eventually(() => queue.wake({ stage: 'submit', chainId: 11 }))
      await seen.times('submit/11', 1)
    })

    test('a queue closes although its server is gone, and its process ends by itself', async () => {
      const worker = spawnProcess('close when told')
      await once(worker, 'message')
      await server.down()
      worker.send('close')
      const [code] = await once(worker, 'exit')
      await server.up()
      expect(code).toBe(0)
    })
  })
}

export const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
}

type Seen = {
  readonly wakes: readonly Wake[]
  readonly of: (id: string) => number
  /** Resolves once `id`, as in batch/1, was begun that often. */
  readonly times: (id: string, count: number) => Promise<void>
  readonly until: (isEnough: (wakes: readonly Wake[]) => boolean) => Promise<void>
  readonly stop: () => Promise<void>
}

/** Works on the queue and records each wake-up when its handling begins. */
export async function listen(
  queue: Queue,
  handle: (wake: Wake) => Promise<void> | undefined | void = () => undefined,
): Promise<Seen> {
  const wakes: Wake[] = []
  let isWaited = () => undefined
  const { stop } = await queue.work(async (wake) => {
    wakes.push(wake)
    isWaited()
    await handle(wake)
  })
  const of: Seen['of'] = (id) => wakes.filter(({ stage, chainId }) => `${stage}/${chainId}` === id).length
  const until: Seen['until'] = (isEnough) =>
    new Promise((resolve) => {
      isWaited = () => {
        if (isEnough(wakes)) resolve()
      }
      isWaited()
    })
  return {
    wakes,
    of,
    until,
    times: (id, count) => until(() => of(id) >= count),
    stop,
  }
}

export async function eventually(attempt: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof QueueUnavailableError)) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

export function newGate(): { readonly passed: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { passed: promise, open: resolve }
}
