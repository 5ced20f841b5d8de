import type { Address } from 'viem'

/**
 * What `GET /.well-known/ice.json` says of a deployment. Everything is checked against it before a wallet is asked to sign,
 * so it must come from where you trust: keep it in your own code, after comparing it with the contracts on chain.
 */
export type Facts = {
  /** Certifies the keys that sign acknowledgements; `acknowledgerOf(relayerId)` of each vault says the same. */
  readonly acknowledgementAuthority: Address
  /** ed25519 keys that sign webhooks, the newest first. */
  readonly webhookKeys: readonly string[]
  readonly chains: readonly ChainFacts[]
}
export type ChainFacts = {
  readonly chainId: number
  readonly name: string
  readonly vault: Address
  /** Null where payments out of wallets are not taken. */
  readonly pullSettler: Address | null
  readonly relayerId: number
  readonly tokens: readonly TokenFacts[]
}
export type TokenFacts = {
  readonly address: Address
  readonly symbol: string
  readonly decimals: number
  /** Amounts are multiples of this many atomic units, a decimal string. */
  readonly scale: string
  readonly amountMin: string
  readonly amountMax: string
  /** EIP-3009. */
  readonly takesAuthorizations: boolean
  /** EIP-2612. */
  readonly takesPermits: boolean
}

/** @throws RangeError for a chain that the facts do not name */
export function chainOf({ chains }: Pick<Facts, 'chains'>, chainId: number): ChainFacts {
  const found = chains.find((chain) => chain.chainId === chainId)
  if (found !== undefined) return found
  throw new RangeError(`chain ${chainId} is not among ${chains.map((chain) => chain.chainId).join(', ')} of the facts`)
}

/** @throws RangeError for a token that the facts do not name on that chain */
export function tokenOf({ chainId, tokens }: ChainFacts, address: Address): TokenFacts {
  const found = tokens.find((token) => isSameHex(token.address, address))
  if (found !== undefined) return found
  throw new RangeError(`token ${address} is not among those of chain ${chainId} in the facts`)
}

/** Hex means the same in either case. Text that is no hex equals only itself. */
export function isSameHex(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase()
}
