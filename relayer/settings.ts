import { readFileSync } from 'node:fs'
import type { Address } from 'viem'
import { z } from 'zod'
import { parseAtomic } from '../core/money.ts'
import { addressesSchema, commonSettings, parseSettings, SettingsError } from '../core/settings.ts'
import { signerUrisSchema } from '../core/signer-uri.ts'

const settingsSchema = z
  .object({
    ...commonSettings,
    /** Custody of the lanes' keys; the vault must know each as a sender of the relayer id. */
    LANE_SIGNERS: signerUrisSchema,
    /** Addresses of lane signers that finish what is bound to them and take no new batch. */
    LANES_RETIRING: addressesSchema,
    /** Signers that this process does not have though open batches may be bound to them. */
    LANES_ABSENT: addressesSchema,
    /** Kubo RPC of the IPFS node that pins audit records, … */
    IPFS_API_URL: z.url({ protocol: /^https?$/ }).optional(),
    /** … or, without a node, the folder that holds their blocks. */
    IPFS_DIRECTORY: z.string().min(1).optional(),
    ARWEAVE_GATEWAY_URL: z.url({ protocol: /^https?$/ }),
    /** File with the JWK of the wallet that pays Arweave. */
    ARWEAVE_KEY_FILE: z.string().min(1).transform(readKeyFile),
    /** Arweave blocks on top from which a record counts as archived. */
    ARWEAVE_CONFIRMATIONS_MIN: z.coerce.number().int().min(1).default(15),
    /** The most that one record may cost; the gateway names the price. */
    ARWEAVE_REWARD_WINSTON_MAX: z
      .string()
      .default('100000000000')
      .transform((text, context) => {
        const winston = parseAtomic(text)
        if (winston !== undefined) return BigInt(winston)
        context.addIssue('a decimal string of winston')
        return z.NEVER
      }),
    /** How often a record that waits for confirmations is looked at. */
    ARWEAVE_LOOK_MILLIS: z.coerce.number().int().min(50).default(60_000),
    /** Longest answer of either store. */
    ARCHIVE_TIMEOUT_MILLIS_MAX: z.coerce.number().int().min(100).max(30_000).default(8_000),
  })
  .refine(({ IPFS_API_URL, IPFS_DIRECTORY }) => (IPFS_API_URL === undefined) !== (IPFS_DIRECTORY === undefined), {
    path: ['IPFS_API_URL'],
    message: 'exactly one of IPFS_API_URL and IPFS_DIRECTORY',
  })

export type Settings = Readonly<z.output<typeof settingsSchema>>

/** @throws SettingsError */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  return parseSettings(settingsSchema, environment, 'The relayer')
}

/** The text of the file; the adapter knows what a wallet looks like. */
function readKeyFile(path: string, context: z.RefinementCtx): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    context.addIssue(`the file cannot be read (${(error as NodeJS.ErrnoException).code})`)
    return z.NEVER
  }
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
