import type { Address } from 'viem'
import { z } from 'zod'
import { addressesSchema, commonSettings, parseSettings, SettingsError } from '../core/settings.ts'
import { signerUrisSchema } from '../core/signer-uri.ts'

const settingsSchema = z.object({
  ...commonSettings,
  /** Custody of the lanes' keys; the vault must know each as a sender of the relayer id. */
  LANE_SIGNERS: signerUrisSchema,
  /** Addresses of lane signers that finish what is bound to them and take no new batch. */
  LANES_RETIRING: addressesSchema,
  /** Signers that this process does not have though open batches may be bound to them. */
  LANES_ABSENT: addressesSchema,
})

export type Settings = Readonly<z.output<typeof settingsSchema>>

/** @throws SettingsError */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  return parseSettings(settingsSchema, environment, 'The relayer')
}

/**
 * Which of the lanes retire. Checked once custody has told the addresses: two entries of one key would be two writers of
 * one lane.
 * @throws SettingsError
 */
export function retiringLanes(
  { LANES_RETIRING, LANES_ABSENT }: Pick<Settings, 'LANES_RETIRING' | 'LANES_ABSENT'>,
  addresses: readonly Address[],
): ReadonlySet<Address> {
  const retiring = new Set(LANES_RETIRING)
  const twice = addresses.find((address, index) => addresses.indexOf(address) !== index)
  if (twice !== undefined) throw new SettingsError(`LANE_SIGNERS names the key of ${twice} twice.`)
  const unknown = LANES_RETIRING.find((address) => !addresses.includes(address))
  if (unknown !== undefined) {
    throw new SettingsError(
      `LANES_RETIRING names ${unknown}, which is not among LANE_SIGNERS: it cannot finish anything.`,
    )
  }
  const both = LANES_ABSENT.find((address) => addresses.includes(address))
  if (both !== undefined) throw new SettingsError(`LANES_ABSENT names ${both}, which LANE_SIGNERS has.`)
  if (addresses.every((address) => retiring.has(address))) {
    throw new SettingsError('LANES_RETIRING names every lane: none would take a batch.')
  }
  return retiring
}
