import { pino } from 'pino'
import pretty from 'pino-pretty'
import type { Log } from '../../core/ports/log.ts'

/** Whatever slips into a line's facts under these names stays out of the log. */
const secretPaths = ['authorization', 'secret', 'signature', 'privateKey', 'password'].flatMap((name) => [
  name,
  `*.${name}`,
])

/** JSON lines on stdout, one per event; readable ones when stdout is a terminal. @param name of the process, in each line */
export function createLog({ level, name }: { level: 'debug' | 'info' | 'warn' | 'error'; name: string }): Log {
  const options = {
    name,
    level,
    redact: { paths: secretPaths, censor: '[redacted]' },
    // Money and nonces are bigint, which JSON does not know: every digit is kept as text.
    formatters: { log: withText },
    timestamp: pino.stdTimeFunctions.isoTime,
  }
  return process.stdout.isTTY ? pino(options, pretty({ colorize: true, ignore: 'pid,hostname' })) : pino(options)
}

function withText(facts: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(facts).map(([key, value]) => [key, typeof value === 'bigint' ? `${value}` : value]),
  )
}
