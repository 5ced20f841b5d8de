import { z } from 'zod'
import { addressSchema } from './protocol/schema.ts'

/** A setting is missing or wrong. The message has one sentence per fault and quotes no value: some are secrets. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
}

/** Keys of 32 bytes in hex, with 0x, separated by commas; at least one. */
const keysSchema = z
  .string()
  .regex(/^0x[0-9a-fA-F]{64}(,0x[0-9a-fA-F]{64})*$/, 'keys of 32 bytes in hex, with 0x, separated by commas')
  .transform((text) => text.split(',') as [`0x${string}`, ...`0x${string}`[]])

/** Addresses separated by commas; none if absent or empty. */
export const addressesSchema = z
  .string()
  .default('')
  .transform((text) => (text.trim() === '' ? [] : text.split(',').map((part) => part.trim())))
  .pipe(z.array(addressSchema))

/** Settings that every process of ours has. */
export const commonSettings = {
  /** Postgres: the system of record. */
  DATABASE_URL: z.url(),
  /** Wake-ups run on Redis if set, else on the same Postgres. */
  REDIS_URL: z.url().optional(),
  /** Path of the JSON file that lists the chains. @see core/config.ts */
  ICE_CONFIG: z.string().min(1),
  /** Webhook and link secrets are derived from the first; what the others made stays good until they are removed. */
  SECRET_KEYS: keysSchema,
  /** Development only: webhooks may go to this machine, also over http. */
  WEBHOOK_ALLOW_LOOPBACK: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true'),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
} as const

/** @param who begins the message: `The API`. @throws SettingsError */
export function parseSettings<Schema extends z.ZodType>(
  schema: Schema,
  environment: object,
  who: string,
): z.output<Schema> {
  const parsed = schema.safeParse(environment)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map(({ path, message }) => `- ${path.join('.')}: ${message}.`)
  throw new SettingsError([`${who} cannot start; its environment has faults:`, ...faults].join('\n'))
}
