import { z } from 'zod'
import { commonSettings, parseSettings } from '../core/settings.ts'
import { signerUriSchema } from '../core/signer-uri.ts'
import { limitsDefault } from './limits.ts'

const portMax = 65_535
const countSchema = (fallback: number) => z.coerce.number().int().positive().default(fallback)

const settingsSchema = z.object({
  ...commonSettings,
  /** Custody of the authority that certifies short-lived acknowledgement keys; the vault knows its address. */
  ACKNOWLEDGER: signerUriSchema,
  /** 0: any free port. */
  PORT: z.coerce.number().int().min(0).max(portMax).default(8080),
  HOST: z.string().min(1).default('127.0.0.1'),
  /** Where clients reach this API, if a proxy stands in front. */
  PUBLIC_URL: z.url().optional(),
  /** Requests of one app in ten seconds. */
  APP_REQUESTS_MAX: countSchema(limitsDefault.appRequestsMax),
  /** Payments that one app submits in ten seconds. */
  APP_INTENTS_MAX: countSchema(limitsDefault.appIntentsMax),
  /** Wrong AppIDs and AppSecrets from one address in a minute. */
  FAILED_LOGINS_MAX: countSchema(limitsDefault.failedLoginsMax),
  /** Requests for streams of payments from one address in a minute. */
  WATCH_REQUESTS_MAX: countSchema(limitsDefault.watchRequestsMax),
  STREAMS_MAX: countSchema(limitsDefault.streamsMax),
  STREAMS_PER_APP_MAX: countSchema(limitsDefault.streamsPerAppMax),
  /** Proxies in front that append to X-Forwarded-For. */
  PROXY_HOPS: z.coerce.number().int().min(0).max(10).default(limitsDefault.proxyHops),
})

export type Settings = Readonly<z.output<typeof settingsSchema>>

/** @throws SettingsError */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const { PUBLIC_URL, ...rest } = parseSettings(settingsSchema, environment, 'The API')
  return { ...rest, PUBLIC_URL: PUBLIC_URL?.replace(/\/+$/, '') }
}
