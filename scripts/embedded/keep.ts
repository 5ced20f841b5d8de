// Stands between the supervisor and a program that knows nothing of it: `node keep.ts <command> …args`. When the
// supervisor goes away, even by kill -9, its end of the IPC channel closes, and the program is stopped.
import { spawn } from 'node:child_process'

/** How the program runs and stops: given as JSON in the variable ICE_KEEP, so that the arguments stay the program's own. */
export type Keeping = {
  readonly stopSignal: NodeJS.Signals
  readonly graceSeconds: number
  readonly uid?: number
  readonly gid?: number
}

/** What keep.ts tells the supervisor over IPC. */
export type KeepMessage =
  | { readonly pid: number }
  | { readonly failed: string }
  | { readonly exited: { readonly code: number | null; readonly signal: NodeJS.Signals | null } }

const { ICE_KEEP, ...env } = process.env
const { stopSignal, graceSeconds, ...identity } = JSON.parse(ICE_KEEP ?? '{}') as Keeping
const [command = '', ...args] = process.argv.slice(2)

function tell(message: KeepMessage, then?: () => void): void {
  if (process.connected && process.send) process.send(message, () => then?.())
  else then?.()
}

// The program writes straight into the supervisor's pipes: nothing is copied here.
const program = spawn(command, args, { ...identity, env, stdio: ['ignore', 'inherit', 'inherit'] })

let stopping = false
function stop(): void {
  if (stopping) return
  stopping = true
  program.kill(stopSignal)
  setTimeout(() => program.kill('SIGKILL'), graceSeconds * 1000).unref()
}

program.once('spawn', () => tell({ pid: program.pid ?? 0 }))
program.once('error', (error) => tell({ failed: error.message }, () => process.exit(1)))
program.once('exit', (code, signal) => tell({ exited: { code, signal } }, () => process.exit(code ?? 1)))
process.once('disconnect', stop)
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, stop)
