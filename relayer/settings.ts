import { z } from 'zod'
import { commonSettings, parseSettings } from '../core/settings.ts'

const keysPattern = /^0x[0-9a-fA-F]{64}(,0x[0-9a-fA-F]{64})*$/

const settingsSchema = z.object({
  ...commonSettings,
  /** Private keys of the lanes, separated by commas; the vault must know each as a sender of the relayer id. */
  LANE_KEYS: z
    .string()
    .regex(keysPattern, 'keys of 32 bytes in hex, with 0x, separated by commas')
    .transform((text) => text.split(',') as `0x${string}`[]),
})

export type Settings = Readonly<z.output<typeof settingsSchema>>

/** @throws SettingsError */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  return parseSettings(settingsSchema, environment, 'The relayer')
}
