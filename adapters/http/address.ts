import ipaddr from 'ipaddr.js'

/** Public by its number, and yet the host's own: Azure's agent and DNS. */
const metadataAddresses = ['168.63.129.16']
/** Where all of the public IPv6 internet lies; the rest of the space is special or not given out. @see RFC 4291 §2.4 */
const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3')

/**
 * Where an address leads. `public` is only what the registries call global unicast: private, shared, link-local, unique
 * local, multicast, reserved, translated (IPv4-mapped, NAT64, 6to4, Teredo) and metadata addresses are `refused`.
 * @see https://www.iana.org/assignments/iana-ipv4-special-registry https://www.iana.org/assignments/iana-ipv6-special-registry
 */
export function judgeAddress(text: string): 'public' | 'loopback' | 'refused' {
  if (!ipaddr.isValid(text)) return 'refused'
  const address = ipaddr.parse(text)
  if (address.range() === 'loopback') return 'loopback'
  if (address.range() !== 'unicast' || metadataAddresses.includes(address.toString())) return 'refused'
  return address instanceof ipaddr.IPv4 || address.match(globalUnicast) ? 'public' : 'refused'
}
