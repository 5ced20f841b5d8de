import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { parseAtomic } from '../core/money.ts'
import { commonSettings, keysSchema, parseSettings } from '../core/settings.ts'

const settingsSchema = z
  .object({
    ...commonSettings,
    /** Private keys of the lanes, separated by commas; the vault must know each as a sender of the relayer id. */
    LANE_KEYS: keysSchema,
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
