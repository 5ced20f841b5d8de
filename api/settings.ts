import { z } from 'zod'
import { commonSettings, parseSettings } from '../core/settings.ts'
import { signerUriSchema } from '../core/signer-uri.ts'

const portMax = 65_535

const settingsSchema = z.object({
  ...commonSettings,
  /** Custody of the authority that certifies short-lived acknowledgement keys; the vault knows its address. */
  ACKNOWLEDGER: signerUriSchema,
  /** 0: any free port. */
  PORT: z.coerce.number().int().min(0).max(portMax).default(8080),
  HOST: z.string().min(1).default('127.0.0.1'),
  /** Where clients reach this API, if a proxy stands in front. */
  PUBLIC_URL: z.url().optional(),
})

export type Settings = Readonly<z.output<typeof settingsSchema>>

/** @throws SettingsError */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const { PUBLIC_URL, ...rest } = parseSettings(settingsSchema, environment, 'The API')
  return { ...rest, PUBLIC_URL: PUBLIC_URL?.replace(/\/+$/, '') }
}
