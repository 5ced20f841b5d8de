import { type ChildProcess, fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import type { URL } from 'node:url'

export type Work<Item, Task, Answer> = {
  /** What each worker runs. It takes a task as a message, sends its answer as one, and ends when disconnected. */
  readonly script: URL
  readonly items: readonly Item[]
  /** Asked when a worker is free, so that it may depend on earlier answers. */
  readonly taskOf: (item: Item) => Task
  readonly taskSecondsMax: number
  /** `undefined`: the task took longer than it may. */
  readonly onAnswer: (item: Item, answer: Answer | undefined, seconds: number) => void
}

/**
 * Has items worked off by as many processes as there are processors; each takes the next one as soon as it is free. Processes
 * rather than threads, so that a task that never ends can be ended.
 * @throws if a worker ends by itself
 */
export async function workOff<Item, Task, Answer>(work: Work<Item, Task, Answer>): Promise<void> {
  const waiting = [...work.items]
  await Promise.all(
    Array.from({ length: Math.min(availableParallelism(), waiting.length) }, async () => {
      let child = start(work.script)
      try {
        for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
          const startedMillis = performance.now()
          const answer = await ask<Task, Answer>(child, work.taskOf(item), work.taskSecondsMax)
          work.onAnswer(item, answer, (performance.now() - startedMillis) / 1_000)
          if (answer !== undefined) continue
          child.kill('SIGKILL')
          child = start(work.script)
        }
      } finally {
        if (child.connected) child.disconnect()
      }
    }),
  )
}

function start(script: URL): ChildProcess {
  // What Hardhat prints about each test run is not what people wait for.
  return fork(script, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], serialization: 'advanced' })
}

function ask<Task, Answer>(child: ChildProcess, task: Task, secondsMax: number): Promise<Answer | undefined> {
  return new Promise((resolve, reject) => {
    const settle = (end: () => void): void => {
      clearTimeout(timer)
      child.off('message', onMessage).off('exit', onExit)
      end()
    }
    const timer = setTimeout(() => settle(() => resolve(undefined)), secondsMax * 1_000)
    const onMessage = (answer: Answer): void => settle(() => resolve(answer))
    const onExit = (code: number | null): void =>
      settle(() => reject(new Error(`A worker ended with ${code}: what it says is above.`)))
    child.on('message', onMessage).on('exit', onExit)
    child.send(task as object)
  })
}
