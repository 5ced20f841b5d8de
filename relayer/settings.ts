import { z } from 'zod'

const keysPattern = /^0x[0-9a-fA-F]{64}(,0x[0-9a-fA-F]{64})*$/

const settingsSchema = z.object({
  /** Postgres: the system of record. */
  DATABASE_URL: z.url(),
  /** Wake-ups run on Redis if set, else on the same Postgres. */
  REDIS_URL: z.url().optional(),
  /** Path of the JSON file that lists the chains. @see core/config.ts */
  ICE_CONFIG: z.string().min(1),
  /** Private keys of the lanes, separated by commas; the vault must know each as a sender of the relayer id. */
  LANE_KEYS: z
    .string()
    .regex(keysPattern, 'keys of 32 bytes in hex, with 0x, separated by commas')
    .transform((text) => text.split(',') as `0x${string}`[]),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
})

export type Settings = Readonly<z.output<typeof settingsSchema>>

/** A setting is missing or wrong. The message has one sentence per fault and quotes no value: some are secrets. */
class SettingsError extends Error {
  override readonly name = 'SettingsError'
}

/** @throws SettingsError */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const parsed = settingsSchema.safeParse(environment)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map(({ path, message }) => `- ${path.join('.')}: ${message}.`)
  throw new SettingsError(['The relayer cannot start; its environment has faults:', ...faults].join('\n'))
}
