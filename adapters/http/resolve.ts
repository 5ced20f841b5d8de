import { Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'
import { judgeAddress } from './address.ts'

/** A name leads to an address that nobody may post to, or an address is given that is refused. */
export class AddressRefusedError extends Error {
  override readonly name = 'AddressRefusedError'
}
/** A name has no address, or the name servers gave none in time. */
export class NameNotFoundError extends Error {
  override readonly name = 'NameNotFoundError'
}

const queryMillisMax = 2_000
const triesMax = 2
const loopback = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
] as const

export type ResolvedAddress = { readonly address: string; readonly family: number }
/** @throws AddressRefusedError, NameNotFoundError */
export type Resolve = (name: string, protocol: string) => Promise<readonly ResolvedAddress[]>

/**
 * Resolves a name for the connection that is about to be made, and lets only allowed addresses through; one bad address
 * among them refuses the name. Asks the name servers without the thread pool that `dns.lookup` shares with everybody
 * else: names that never answer must not hold up those that do.
 * @param dnsServers `address:port`; by default those of the machine
 */
export function createResolve({
  allowsLoopback,
  dnsServers,
}: {
  allowsLoopback: boolean
  dnsServers?: readonly string[] | undefined
}): Resolve {
  const resolver = new Resolver({ timeout: queryMillisMax, tries: triesMax })
  if (dnsServers !== undefined) resolver.setServers(dnsServers)

  return async (name, protocol) => {
    const found = await find(resolver, name)
    for (const { address } of found) {
      const kind = judgeAddress(address)
      const isAllowed = kind === 'loopback' ? allowsLoopback : kind === 'public' && protocol === 'https:'
      if (!isAllowed) throw new AddressRefusedError(`${name} leads to an address that is refused`)
    }
    return found
  }
}

async function find(resolver: Resolver, name: string): Promise<readonly ResolvedAddress[]> {
  if (name === 'localhost') return loopback
  const family = isIP(name)
  if (family !== 0) return [{ address: name, family }]
  const [four, six] = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)])
  const found = [
    ...(four.status === 'fulfilled' ? four.value.map((address) => ({ address, family: 4 })) : []),
    ...(six.status === 'fulfilled' ? six.value.map((address) => ({ address, family: 6 })) : []),
  ]
  if (found.length === 0) throw new NameNotFoundError(`${name} has no address`)
  return found
}
