import { z } from 'zod'
import { commonSettings, keysSchema, parseSettings } from '../core/settings.ts'

const settingsSchema = z.object({
  ...commonSettings,
  /** Private keys of the lanes, separated by commas; the vault must know each as a sender of the relayer id. */
  LANE_KEYS: keysSchema,
})

export type Settings = Readonly<z.output<typeof settingsSchema>>

/** @throws SettingsError */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  return parseSettings(settingsSchema, environment, 'The relayer')
}
