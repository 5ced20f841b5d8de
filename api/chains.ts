import type { Hex } from 'viem'
import type { ChainConfig } from '../core/config.ts'
import { type Refusal, refusal } from '../core/errors.ts'
import type { Chain } from '../core/ports/chain.ts'
import { type Domain, domainOf, domainSeparator } from '../core/protocol/typed-data.ts'
import type { ApiPorts } from './ports.ts'

/** One configured chain, with what is computed once for it. */
export type KnownChain = {
  readonly config: ChainConfig
  readonly domain: Domain
  readonly separator: Hex
  /** Undefined while this process has no connection to it. */
  readonly node: Chain | undefined
}

export type KnownChains = {
  readonly find: (chainId: number) => KnownChain | undefined
  readonly list: readonly KnownChain[]
}

export function knownChains({ config, chains }: Pick<ApiPorts, 'config' | 'chains'>): KnownChains {
  const list = config.chains.map((chain): KnownChain => {
    const domain = domainOf(chain)
    return { config: chain, domain, separator: domainSeparator(domain), node: chains.get(chain.chainId) }
  })
  const byId = new Map(list.map((known) => [known.config.chainId, known]))
  return { find: (chainId) => byId.get(chainId), list }
}

export function refuseChain(chainId: number, { list }: KnownChains): Refusal {
  const chainIds = list.map(({ config }) => config.chainId)
  return refusal('wrong_chain', `chain ${chainId} is not among ${chainIds.join(', ')}`, { chainId, chainIds })
}
