import type { Address } from 'viem'
import { z } from 'zod'
import type { BatchLimits } from './batch.ts'
import type { LaneLimits } from './lane.ts'
import { parseAtomic } from './money.ts'
import { recordCountMax } from './protocol/packed.ts'
import { addressSchema } from './protocol/schema.ts'
import type { Mode } from './protocol/taking.ts'

/** Constants of the vault that promises lean on; compared with the contract at start. @see contracts/Vault.sol */
export const pauseSecondsMax = 2 * 3600
export const withdrawDelaySeconds = 24 * 3600
export const deadlineAheadSecondsMax = 12 * 3600

const atomicSchema = z.string().transform((text, context) => {
  const value = parseAtomic(text)
  if (value !== undefined) return value
  context.addIssue('a decimal string of atomic units')
  return z.NEVER
})
const weiSchema = atomicSchema.transform((value): bigint => value)
const countSchema = z.int().positive()

const domainSchema = z.strictObject({ name: z.string().min(1), version: z.string().min(1) })

const tokenSchema = z
  .strictObject({
    address: addressSchema,
    symbol: z.string().min(1),
    decimals: z.int().min(0).max(36),
    /** Atomic units per packed unit, as the vault lists it. */
    scale: atomicSchema,
    amountMin: atomicSchema,
    amountMax: atomicSchema,
    /** A payment above this waits for an operator. */
    holdAbove: atomicSchema,
    /** The token's own EIP-712 domain, if it has one: it signs authorizations (EIP-3009) for it. */
    authorization: domainSchema.optional(),
    /** The same, if it takes permits (EIP-2612). */
    permit: domainSchema.optional(),
  })
  .refine(({ scale }) => /^10*$/.test(`${scale}`), { path: ['scale'], message: 'a power of ten, 1 or more' })
  .refine(({ amountMin, amountMax }) => amountMin <= amountMax, { path: ['amountMin'], message: 'at most amountMax' })

const chainSchema = z
  .strictObject({
    chainId: countSchema,
    name: z.string().min(1),
    /** Nodes of the chain, the preferred one first. */
    rpcUrls: z.array(z.url()).min(1),
    vault: addressSchema,
    /** Settles payments out of payers' own wallets; without it there are none. */
    pullSettler: addressSchema.optional(),
    relayerId: countSchema.max(2 ** 32 - 1),
    blockSeconds: z.number().positive(),
    /** The vault's first block or any before it: from here the ledger knows every deposit. */
    startBlock: z.int().min(0).default(0).transform(BigInt),
    /** The same for the pull settler, if it is younger than the vault. */
    pullStartBlock: z.int().min(0).transform(BigInt).optional(),
    finality: z.union([
      z.strictObject({ rule: z.literal('tag') }),
      z.strictObject({ rule: z.literal('depth'), depth: z.int().min(0) }),
    ]),
    /** Reorgs up to this many blocks are followed; a deeper one stops the chain's loops and raises an alarm. */
    reorgDepthMax: countSchema.default(128),
    tokens: z
      .array(tokenSchema)
      .min(1)
      .refine((tokens) => new Set(tokens.map(({ address }) => address)).size === tokens.length, 'each token once'),
    batch: z
      .strictObject({
        paymentCountMax: countSchema.max(recordCountMax).default(500),
        /** At least one record must fit. */
        bytesMax: countSchema.min(1_000).default(120_000),
        gasMax: weiSchema.default(14_000_000n),
        ageMillisMax: countSchema.default(1_000),
      })
      .prefault({}),
    lane: z
      .strictObject({
        inFlightMax: countSchema.default(4),
        maxFeePerGasWeiMax: weiSchema.default(500_000_000_000n),
        replaceAfterMillis: countSchema.default(30_000),
        resendAfterMillis: countSchema.default(10_000),
        balanceWeiMin: weiSchema.default(50_000_000_000_000_000n),
      })
      .prefault({}),
    promise: z
      .strictObject({
        /** A collateralised payment settles within this, or anyone may settle it. */
        settleWithinSeconds: countSchema.default(600),
        /** How long a payment may be reorged out and settled again. */
        reorgMarginSeconds: countSchema.default(300),
        /** A head older than this makes new answers optimistic. */
        headAgeSecondsMax: countSchema.default(60),
        /** A final block older than this makes new answers optimistic: its balances may have begun to leave. */
        finalizedAgeSecondsMax: countSchema.default(3600),
        /** The deadline that `prepare` proposes. */
        prepareSeconds: countSchema.max(deadlineAheadSecondsMax).default(4 * 3600),
        /** A payment that close to its deadline is refused. */
        deadlineSecondsMin: countSchema.default(60),
      })
      .refine(({ prepareSeconds, deadlineSecondsMin }) => prepareSeconds > deadlineSecondsMin, {
        path: ['prepareSeconds'],
        message: 'longer than deadlineSecondsMin, or everything prepared is refused',
      })
      .prefault({}),
  })
  .refine(({ vault, pullSettler }) => vault !== pullSettler, {
    path: ['pullSettler'],
    message: 'another contract than the vault',
  })
  .refine(
    ({ promise }) =>
      promise.settleWithinSeconds + pauseSecondsMax + promise.reorgMarginSeconds + promise.finalizedAgeSecondsMax <
      withdrawDelaySeconds,
    {
      message:
        'settleWithinSeconds + pause + reorgMarginSeconds + finalizedAgeSecondsMax must stay under the withdraw delay',
    },
  )

export const configSchema = z
  .strictObject({ chains: z.array(chainSchema).min(1) })
  .refine(({ chains }) => new Set(chains.map(({ chainId }) => chainId)).size === chains.length, {
    message: 'each chainId once: one vault per chain',
  })

export type TokenConfig = z.output<typeof tokenSchema>
export type ChainConfig = Omit<z.output<typeof chainSchema>, 'batch' | 'lane'> & {
  readonly batch: BatchLimits
  readonly lane: LaneLimits
  /** Of the pull settler's own, see `contractsOf`: the vault. */
  readonly home?: Address
}
export type Config = { readonly chains: readonly ChainConfig[] }

/**
 * The contracts of a chain that settle, each with books, finality, audit records and reconciliation of its own: the vault,
 * and the pull settler if there is one. In books, ports and stages `vault` names the contract whose books they are.
 */
export function contractsOf(chain: ChainConfig): readonly ChainConfig[] {
  const { vault: home, pullSettler: vault, pullStartBlock: startBlock = chain.startBlock } = chain
  return vault === undefined ? [chain] : [chain, { ...chain, vault, home, startBlock }]
}

/** The EIP-712 domain in which a token takes authorizations, or permits; undefined if it takes none. */
export function tokenDomainOf(
  { chainId }: Pick<ChainConfig, 'chainId'>,
  token: TokenConfig,
  of: 'authorization' | 'permit' = 'authorization',
) {
  const domain = token[of]
  return domain === undefined ? undefined : { ...domain, chainId, verifyingContract: token.address }
}

/** Names a contract of a chain. */
export function contractKey({ chainId, vault }: Pick<ChainConfig, 'chainId' | 'vault'>): string {
  return `${chainId}:${vault}`
}

/** The vault of a settlement contract: itself, or the pull settler's. */
export function homeOf({ vault, home }: Pick<ChainConfig, 'vault' | 'home'>): Address {
  return home ?? vault
}

export function isPullSettler({ vault, pullSettler }: Pick<ChainConfig, 'vault' | 'pullSettler'>): boolean {
  return vault === pullSettler
}

/** Modes in which a contract settles. A chained account has 16 bits for its relayer's id. */
export function modesOf(contract: Pick<ChainConfig, 'vault' | 'pullSettler' | 'relayerId'>): readonly Mode[] {
  if (isPullSettler(contract)) return ['pull']
  return contract.relayerId < 2 ** 16 ? ['independent', 'chained'] : ['independent']
}

export function findToken(chain: ChainConfig, token: Address): TokenConfig | undefined {
  return chain.tokens.find(({ address }) => address === token)
}
