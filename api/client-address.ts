import { isIP, isIPv6 } from 'node:net'
import { getConnInfo } from '@hono/node-server/conninfo'
import type { Context } from 'hono'

/** A client of IPv6 has a network of this size to itself: it is one client. */
const networkGroups = 4

/**
 * Who asks, as far as it can be known: the socket's other end, or what the last proxy that is trusted saw. Whatever stands
 * further left in X-Forwarded-For a client can write itself.
 * @param proxyHops how many proxies are ours
 */
export function clientAddress(c: Context, proxyHops: number): string {
  const seen = (c.req.header('x-forwarded-for') ?? '').split(',').map((each) => each.trim())
  const forwarded = proxyHops === 0 ? undefined : seen.at(-proxyHops)
  return networkOf(forwarded !== undefined && isIP(forwarded) !== 0 ? forwarded : socketAddress(c))
}

/** A request that came through no socket has none: a test's. */
function socketAddress(c: Context): string {
  return c.env?.incoming === undefined ? 'unknown' : (getConnInfo(c).remote.address ?? 'unknown')
}

function networkOf(address: string): string {
  const mapped = /^::ffff:([0-9.]+)$/i.exec(address)?.[1]
  if (mapped !== undefined || !isIPv6(address)) return mapped ?? address
  const [left = '', right] = address.split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':'))
  const [before, after] = [groups(left), groups(right ?? '')]
  const zeros = right === undefined ? [] : Array.from({ length: 8 - before.length - after.length }, () => '0')
  const all = [...before, ...zeros, ...after].slice(0, networkGroups)
  return `${all.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}
