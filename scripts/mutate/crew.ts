import { type ChildProcess, fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Answer, Task } from './worker.ts'

export type Done = (Answer | { readonly outcome: 'killed'; readonly by: 'timeout' }) & { readonly seconds: number }

/** A mutant that takes twenty times as long as any other runs in circles. */
const TASK_SECONDS_MAX = 180

/** As many workers as processors, each with one task at a time. */
export function openCrew(): { readonly size: number; open(): Member } {
  return { size: availableParallelism(), open: () => openMember() }
}

export type Member = { do(task: Task): Promise<Done>; close(): void }

function openMember(): Member {
  let child = start()
  return {
    async do(task) {
      const startedMillis = performance.now()
      const answer = await ask(child, task)
      if (answer === 'timeout') {
        child.kill('SIGKILL')
        child = start()
      }
      const seconds = (performance.now() - startedMillis) / 1_000
      return answer === 'timeout' ? { outcome: 'killed', by: 'timeout', seconds } : { ...answer, seconds }
    },
    close: () => child.disconnect(),
  }
}

function start(): ChildProcess {
  // What Hardhat prints about each test run is not what people wait for here.
  return fork(fileURLToPath(new URL('./worker.ts', import.meta.url)), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, RAYON_NUM_THREADS: '1' },
  })
}

/** @throws if the worker ends */
function ask(child: ChildProcess, task: Task): Promise<Answer | 'timeout'> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => settle(() => resolve('timeout')), TASK_SECONDS_MAX * 1_000)
    const onMessage = (answer: Answer): void => settle(() => resolve(answer))
    const onExit = (code: number | null): void =>
      settle(() => reject(new Error(`A worker ended with ${code} at ${task.mutant?.id ?? 'the unchanged contracts'}.`)))
    const settle = (end: () => void): void => {
      clearTimeout(timer)
      child.off('message', onMessage).off('exit', onExit)
      end()
    }
    child.on('message', onMessage).on('exit', onExit)
    child.send(task)
  })
}
