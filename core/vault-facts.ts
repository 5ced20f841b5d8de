import type { Hex } from 'viem'
import { type ChainConfig, deadlineAheadSecondsMax, pauseSecondsMax, withdrawDelaySeconds } from './config.ts'
import { domainOf, domainSeparator } from './protocol/typed-data.ts'

/** What the vault on chain says of itself. */
export type VaultFacts = {
  readonly chainId: number
  readonly domainSeparator: Hex
  readonly pauseSecondsMax: bigint
  readonly withdrawDelaySeconds: bigint
  readonly deadlineAheadSecondsMax: bigint
}

/**
 * Where configuration and chain disagree, a sentence each; empty if nowhere. Compared at start: a relayer on the wrong
 * chain or contract must sign nothing.
 */
export function disagreements(config: ChainConfig, facts: VaultFacts): readonly string[] {
  const separator = domainSeparator(domainOf({ chainId: config.chainId, vault: config.vault }))
  const pairs = [
    ['chain id', config.chainId, facts.chainId],
    ['domain separator', separator, facts.domainSeparator],
    ['longest pause in seconds', BigInt(pauseSecondsMax), facts.pauseSecondsMax],
    ['withdraw delay in seconds', BigInt(withdrawDelaySeconds), facts.withdrawDelaySeconds],
    ['furthest deadline in seconds', BigInt(deadlineAheadSecondsMax), facts.deadlineAheadSecondsMax],
  ] as const
  return pairs
    .filter(([, expected, actual]) => expected !== actual)
    .map(
      ([name, expected, actual]) =>
        `${config.name}: the ${name} is ${actual} on chain, the configuration means ${expected}`,
    )
}
