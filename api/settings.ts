import { readFileSync } from 'node:fs'
import { z } from 'zod'

const portMax = 65_535
const keyPattern = /^0x[0-9a-fA-F]{64}$/

const settingsSchema = z
  .object({
    /** Postgres: the system of record. */
    DATABASE_URL: z.url(),
    /** Wake-ups run on Redis if set, else on the same Postgres. */
    REDIS_URL: z.url().optional(),
    /** Path of the JSON file that lists the chains. @see core/config.ts */
    ICE_CONFIG: z.string().min(1),
    /** Authority that certifies short-lived acknowledgement keys, 32 bytes in hex; or the path of a file with it. */
    ACKNOWLEDGER_KEY: z.string().regex(keyPattern, '32 bytes in hex, with 0x').optional(),
    ACKNOWLEDGER_KEY_FILE: z.string().min(1).optional(),
    /** 0: any free port. */
    PORT: z.coerce.number().int().min(0).max(portMax).default(8080),
    HOST: z.string().min(1).default('127.0.0.1'),
    /** Where clients reach this API, if a proxy stands in front. */
    PUBLIC_URL: z.url().optional(),
    LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  })
  .refine((env) => (env.ACKNOWLEDGER_KEY === undefined) !== (env.ACKNOWLEDGER_KEY_FILE === undefined), {
    path: ['ACKNOWLEDGER_KEY'],
    message: 'set either ACKNOWLEDGER_KEY or ACKNOWLEDGER_KEY_FILE',
  })

export type Settings = Readonly<Omit<z.output<typeof settingsSchema>, 'ACKNOWLEDGER_KEY_FILE' | 'ACKNOWLEDGER_KEY'>> & {
  readonly ACKNOWLEDGER_KEY: `0x${string}`
}

/** A setting is missing or wrong. The message has one sentence per fault and quotes no value: some are secrets. */
class SettingsError extends Error {
  override readonly name = 'SettingsError'
}

/** @throws SettingsError */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const parsed = settingsSchema.safeParse(environment)
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => `- ${path.join('.')}: ${message}.`)
    throw new SettingsError(['The API cannot start; its environment has faults:', ...faults].join('\n'))
  }
  const { ACKNOWLEDGER_KEY, ACKNOWLEDGER_KEY_FILE, PUBLIC_URL, ...rest } = parsed.data
  const key = ACKNOWLEDGER_KEY ?? readKey(ACKNOWLEDGER_KEY_FILE ?? '')
  return { ...rest, PUBLIC_URL: PUBLIC_URL?.replace(/\/+$/, ''), ACKNOWLEDGER_KEY: key as `0x${string}` }
}

function readKey(path: string): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8').trim()
  } catch {
    throw new SettingsError('ACKNOWLEDGER_KEY_FILE names a file that cannot be read.')
  }
  if (!keyPattern.test(text)) throw new SettingsError('ACKNOWLEDGER_KEY_FILE does not hold 32 bytes in hex, with 0x.')
  return text
}
