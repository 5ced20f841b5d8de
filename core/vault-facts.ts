import type { Address, Hex } from 'viem'
import {
  type ChainConfig,
  deadlineAheadSecondsMax,
  homeOf,
  isPullSettler,
  pauseSecondsMax,
  tokenDomainOf,
  withdrawDelaySeconds,
} from './config.ts'
import { domainOf, domainSeparator } from './protocol/typed-data.ts'

/** What the vault on chain says of itself. */
export type VaultFacts = {
  /** The vault that lists relayers, tokens and acknowledgers: itself, or the pull settler's. */
  readonly home: Address
  readonly chainId: number
  readonly domainSeparator: Hex
  readonly pauseSecondsMax: bigint
  readonly withdrawDelaySeconds: bigint
  readonly deadlineAheadSecondsMax: bigint
  /** Scales of the configured tokens, in their order; 0 for a token that the vault does not know. */
  readonly scales: readonly bigint[]
  /** Relayer ids of the asked senders, in their order; 0 for a stranger. */
  readonly relayerIds: readonly number[]
  readonly acknowledger: Address
  /** EIP-712 separators of the asked tokens' own domains, in their order. Nothing for the vault, which takes no authorizations. */
  readonly tokenSeparators: readonly Hex[]
}

/** Domains of the tokens whose authorizations and permits this contract takes. */
function tokenDomains(config: ChainConfig) {
  if (!isPullSettler(config)) return []
  return (['authorization', 'permit'] as const).flatMap((of) =>
    config.tokens.flatMap((token) => tokenDomainOf(config, token, of) ?? []),
  )
}

/** What to ask of a contract so that its facts can be compared with its configuration. */
export function askedOf(config: ChainConfig): {
  readonly tokens: readonly Address[]
  readonly authorizing: readonly Address[]
  readonly relayerId: number
} {
  return {
    tokens: config.tokens.map(({ address }) => address),
    authorizing: tokenDomains(config).map(({ verifyingContract }) => verifyingContract),
    relayerId: config.relayerId,
  }
}

/** Who acts for the relayer in this process: lane signers, or the acknowledgement authority. */
export type Actors = { readonly senders: readonly Address[]; readonly authority: Address | undefined }

/**
 * Where configuration and chain disagree, a sentence each; empty if nowhere. Compared at start: a relayer on the wrong
 * chain or contract must sign nothing.
 */
export function disagreements(config: ChainConfig, facts: VaultFacts, actors: Actors): readonly string[] {
  const separator = domainSeparator(domainOf({ chainId: config.chainId, vault: config.vault }))
  const pairs = [
    ['chain id', config.chainId, facts.chainId],
    ['vault of the settlement contract', homeOf(config), facts.home],
    ['domain separator', separator, facts.domainSeparator],
    ['longest pause in seconds', BigInt(pauseSecondsMax), facts.pauseSecondsMax],
    ['withdraw delay in seconds', BigInt(withdrawDelaySeconds), facts.withdrawDelaySeconds],
    ['furthest deadline in seconds', BigInt(deadlineAheadSecondsMax), facts.deadlineAheadSecondsMax],
    ...config.tokens.map(({ symbol, scale }, index) => [`scale of ${symbol}`, scale, facts.scales[index]] as const),
    ...tokenDomains(config).map(
      (domain, index) => [`domain of ${domain.name}`, domainSeparator(domain), facts.tokenSeparators[index]] as const,
    ),
    ...actors.senders.map(
      (sender, index) => [`relayer id of lane ${sender}`, config.relayerId, facts.relayerIds[index]] as const,
    ),
    ...(actors.authority === undefined
      ? []
      : [['acknowledgement authority', actors.authority, facts.acknowledger] as const]),
  ] as const
  return pairs
    .filter(([, expected, actual]) => expected !== actual)
    .map(
      ([name, expected, actual]) =>
        `${config.name}: the ${name} is ${actual} on chain, the configuration means ${expected}`,
    )
}
