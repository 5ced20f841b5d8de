import type { Address, Hex } from 'viem'
import { type ChainConfig, contractKey, contractsOf, isPullSettler, modesOf } from '../core/config.ts'
import { type Refusal, RelayError, refusal } from '../core/errors.ts'
import type { Chain } from '../core/ports/chain.ts'
import type { Mode } from '../core/protocol/taking.ts'
import { type Domain, domainOf, domainSeparator } from '../core/protocol/typed-data.ts'
import type { ApiPorts } from './ports.ts'

/** One settlement contract of a configured chain, with what is computed once for it. */
export type KnownContract = {
  readonly config: ChainConfig
  readonly domain: Domain
  readonly separator: Hex
  /** Undefined while this process has no connection to it. */
  readonly node: Chain | undefined
}

export type KnownChains = {
  /** The vault of a chain. */
  readonly find: (chainId: number) => KnownContract | undefined
  /** A contract of a chain; the vault for one that ICE does not know there, so that screening tells what is wrong. */
  readonly at: (chainId: number, contract: Address) => KnownContract | undefined
  /** The contract that a stored payment is for. @throws RelayError `internal` if it is no longer configured */
  readonly settling: (chainId: number, contract: Address) => KnownContract
  /** The contract of a chain that settles in this mode. */
  readonly of: (chainId: number, mode: Mode) => KnownContract | undefined
  /** The vaults. */
  readonly list: readonly KnownContract[]
}

export function knownChains({ config, chains }: Pick<ApiPorts, 'config' | 'chains'>): KnownChains {
  const known = config.chains.flatMap(contractsOf).map((contract): KnownContract => {
    const domain = domainOf(contract)
    const node = chains.get(contractKey(contract))
    return { config: contract, domain, separator: domainSeparator(domain), node }
  })
  const ofChain = (chainId: number) => known.filter((each) => each.config.chainId === chainId)
  const find = (chainId: number) => ofChain(chainId)[0]
  return {
    find,
    at: (chainId, contract) => ofChain(chainId).find((each) => each.config.vault === contract) ?? find(chainId),
    settling: (chainId, contract) => {
      const found = ofChain(chainId).find((each) => each.config.vault === contract)
      if (found !== undefined) return found
      throw new RelayError('internal', `The contract ${contract} of chain ${chainId} is no longer configured.`)
    },
    of: (chainId, mode) => ofChain(chainId).find((each) => modesOf(each.config).includes(mode)),
    list: known.filter((each) => !isPullSettler(each.config)),
  }
}

export function refuseChain(chainId: number, { list }: KnownChains): Refusal {
  const chainIds = list.map(({ config }) => config.chainId)
  return refusal('wrong_chain', `chain ${chainId} is not among ${chainIds.join(', ')}`, { chainId, chainIds })
}
