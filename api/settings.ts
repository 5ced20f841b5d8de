import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { commonSettings, parseSettings, SettingsError } from '../core/settings.ts'
import { limitsDefault } from './limits.ts'

const portMax = 65_535
const countSchema = (fallback: number) => z.coerce.number().int().positive().default(fallback)
const keyPattern = /^0x[0-9a-fA-F]{64}$/

const settingsSchema = z
  .object({
    ...commonSettings,
    /** Authority that certifies short-lived acknowledgement keys, 32 bytes in hex; or the path of a file with it. */
    ACKNOWLEDGER_KEY: z.string().regex(keyPattern, '32 bytes in hex, with 0x').optional(),
    ACKNOWLEDGER_KEY_FILE: z.string().min(1).optional(),
    /** 0: any free port. */
    PORT: z.coerce.number().int().min(0).max(portMax).default(8080),
    HOST: z.string().min(1).default('127.0.0.1'),
    /** Where clients reach this API, if a proxy stands in front. */
    PUBLIC_URL: z.url().optional(),
    /** Requests of one app in ten seconds. */
    APP_REQUESTS_MAX: countSchema(limitsDefault.appRequestsMax),
    /** Wrong AppIDs and AppSecrets from one address in a minute. */
    FAILED_LOGINS_MAX: countSchema(limitsDefault.failedLoginsMax),
    STREAMS_MAX: countSchema(limitsDefault.streamsMax),
    STREAMS_PER_APP_MAX: countSchema(limitsDefault.streamsPerAppMax),
    /** Proxies in front that append to X-Forwarded-For. */
    PROXY_HOPS: z.coerce.number().int().min(0).max(10).default(limitsDefault.proxyHops),
  })
  .refine((env) => (env.ACKNOWLEDGER_KEY === undefined) !== (env.ACKNOWLEDGER_KEY_FILE === undefined), {
    path: ['ACKNOWLEDGER_KEY'],
    message: 'set either ACKNOWLEDGER_KEY or ACKNOWLEDGER_KEY_FILE',
  })

export type Settings = Readonly<Omit<z.output<typeof settingsSchema>, 'ACKNOWLEDGER_KEY_FILE' | 'ACKNOWLEDGER_KEY'>> & {
  readonly ACKNOWLEDGER_KEY: `0x${string}`
}

/** @throws SettingsError */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const { ACKNOWLEDGER_KEY, ACKNOWLEDGER_KEY_FILE, PUBLIC_URL, ...rest } = parseSettings(
    settingsSchema,
    environment,
    'The API',
  )
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
