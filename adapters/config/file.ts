import { readFile } from 'node:fs/promises'
import { type Config, configSchema } from '../../core/config.ts'

/** The configuration cannot be used. The message is for the person who starts the process: one sentence per fault. */
class ConfigError extends Error {
  constructor(message: string, { cause }: { cause?: unknown } = {}) {
    super(message, { cause })
    this.name = 'ConfigError'
  }
}

/** Reads the JSON file that lists the chains. @throws ConfigError @see core/config.ts */
export async function loadConfig(path: string): Promise<Config> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ConfigError(`The configuration ${path} cannot be read: ${messageOf(cause)}.`, { cause })
  })
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new ConfigError(`The configuration ${path} is not valid JSON: ${messageOf(cause)}.`, { cause })
  }
  const parsed = configSchema.safeParse(json)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map(
    ({ path: at, message }) => `- ${at.length === 0 ? 'The whole file' : at.join('.')}: ${message}.`,
  )
  throw new ConfigError([`The configuration ${path} has ${faults.length} fault(s):`, ...faults].join('\n'))
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
