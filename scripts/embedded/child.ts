import { type ChildProcess, fork, spawn } from 'node:child_process'
import { basename } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Keeping, KeepMessage } from './keep.ts'
import { StartError } from './start-error.ts'

/** A program that cannot outlive this process, however this process ends. */
export type Child = {
  /** The program's own process id. */
  readonly pid: number
  /** Asks it to stop, kills it after the grace time, and resolves when it is gone. */
  stop(): Promise<void>
  /** Resolves, and never rejects, when it is gone. */
  readonly exited: Promise<Exit>
  /** The last lines it printed, for the sentence that explains a failed start. */
  lastLines(): string
}

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

type Common = {
  readonly args?: readonly string[]
  /** The program's whole environment; ours if absent. */
  readonly env?: NodeJS.ProcessEnv
  /** How long it may take to stop before it is killed. */
  readonly graceSeconds?: number
  readonly onLine?: (line: string) => void
}

const linesMax = 20
const keep = fileURLToPath(new URL('keep.ts', import.meta.url))

/** Starts any program. Resolves once it runs, which says nothing about whether it is ready. */
export async function startProgram({
  command,
  args = [],
  env = process.env,
  stopSignal = 'SIGTERM',
  graceSeconds = 10,
  identity,
  onLine,
}: Common & {
  readonly command: string
  /** What makes it stop in good order: SIGINT is Postgres's fast shutdown. */
  readonly stopSignal?: NodeJS.Signals
  /** The user to run it as; only root may give one. */
  readonly identity?: { readonly uid: number; readonly gid: number }
}): Promise<Child> {
  const keeping: Keeping = { stopSignal, graceSeconds, ...identity }
  // A process group of its own keeps a terminal's Ctrl-C away from it: the supervisor stops the parts, in order.
  const keeper = spawn(process.execPath, [keep, command, ...args], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...env, ICE_KEEP: JSON.stringify(keeping) },
  })
  const output = collectLines(keeper, onLine)

  let exit: Exit | undefined
  const pid = await new Promise<number>((resolve, reject) => {
    keeper.on('message', (message: KeepMessage) => {
      if ('pid' in message) resolve(message.pid)
      else if ('exited' in message) exit = message.exited
      else reject(new StartError(`${basename(command)} could not be started: ${message.failed}.`))
    })
    keeper.once('error', reject)
    keeper.once('exit', () => reject(new StartError(`${basename(command)} could not be started.${output.quote()}`)))
  })

  const exited = whenClosed(keeper).then((ofKeeper) => {
    // Without its own word on how the program ended, the keeper was killed and may have left the program behind.
    if (exit === undefined) kill(pid, 'SIGKILL')
    return exit ?? ofKeeper
  })
  return {
    pid,
    exited,
    lastLines: output.lastLines,
    stop: stopper({ process: keeper, exited, graceSeconds: graceSeconds + 2 }),
  }
}

/**
 * Starts a Node program of ours. It must send `{ ready: … }` over IPC once it can be used, and exit by itself on
 * 'disconnect'. Rejects with one sentence if it ends before, or is not ready in time.
 */
export async function startNode<Ready>({
  entry,
  name = basename(entry),
  args = [],
  env = process.env,
  graceSeconds = 10,
  readyWithinSeconds = 60,
  onLine,
}: Common & {
  /** Path of the program's file. */
  readonly entry: string
  /** What the error sentence calls it. */
  readonly name?: string
  readonly readyWithinSeconds?: number
}): Promise<Child & { readonly ready: Ready }> {
  const program = fork(entry, args, {
    detached: true,
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env,
  })
  const output = collectLines(program, onLine)
  const exited = whenClosed(program)
  const stop = stopper({ process: program, exited, graceSeconds })

  const ready = await new Promise<Ready>((resolve, reject) => {
    const timer = setTimeout(() => {
      void stop()
      reject(new StartError(`${name} was not ready within ${readyWithinSeconds} s.${output.quote()}`))
    }, readyWithinSeconds * 1000)
    program.on('message', (message) => {
      if (typeof message !== 'object' || message === null) return
      if ('ready' in message) resolve(message.ready as Ready)
      // A program that knows what went wrong says it in a sentence of its own, better than its last lines do.
      if ('failed' in message) reject(new StartError(String(message.failed)))
    })
    program.once('error', reject)
    exited.then(({ code, signal }) => {
      clearTimeout(timer)
      reject(new StartError(`${name} stopped while starting (${signal ?? `code ${code}`}).${output.quote()}`))
    })
    program.once('message', () => clearTimeout(timer))
  })
  return { pid: program.pid ?? 0, ready, exited, lastLines: output.lastLines, stop }
}

function whenClosed(process: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    // 'exit' and not 'close': a grandchild that still holds the pipes must not keep us waiting.
    process.once('exit', (code, signal) => setImmediate(() => resolve({ code, signal })))
    process.once('error', () => resolve({ code: null, signal: null }))
  })
}

function stopper({
  process,
  exited,
  graceSeconds,
}: {
  readonly process: ChildProcess
  readonly exited: Promise<Exit>
  readonly graceSeconds: number
}): () => Promise<void> {
  return async () => {
    process.kill('SIGTERM')
    const timer = setTimeout(() => process.kill('SIGKILL'), graceSeconds * 1000)
    await exited
    clearTimeout(timer)
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function collectLines(process: ChildProcess, onLine?: (line: string) => void) {
  const lines: string[] = []
  for (const stream of [process.stdout, process.stderr]) {
    if (!stream) continue
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      if (lines.length > linesMax) lines.shift()
      onLine?.(line)
    })
  }
  const lastLines = () => lines.join('\n')
  return { lastLines, quote: () => (lines.length === 0 ? '' : ` Its last lines:\n${lastLines()}`) }
}
