import { type Refusal, refusal } from './errors.ts'

const urlCharactersMax = 2_048
const portMin = 1_024
const loopbackHosts = ['localhost', '127.0.0.1', '[::1]']

export type UrlVerdict = { readonly outcome: 'ok'; readonly url: string } | Refusal

/**
 * Whether a URL may be an endpoint, as far as its text tells. What its name leads to is looked at again for every
 * connection, because names change. `allowsLoopback`: development only; then http and any port, but only to this machine.
 */
export function judgeWebhookUrl(text: string, { allowsLoopback }: { allowsLoopback: boolean }): UrlVerdict {
  const refuse = (why: string): Refusal => refusal('webhook_url_invalid', why)
  if (text.length > urlCharactersMax) return refuse(`${text.length} characters, at most ${urlCharactersMax} are taken`)
  const url = URL.parse(text)
  if (url === null) return refuse('it is no absolute URL')
  if (url.username !== '' || url.password !== '') return refuse('it holds a user or a password')
  if (url.hash !== '') return refuse('it holds a fragment, which no server ever sees')
  if (allowsLoopback && loopbackHosts.includes(url.hostname) && /^https?:$/.test(url.protocol)) {
    return { outcome: 'ok', url: url.href }
  }
  if (url.protocol !== 'https:') return refuse(`it begins with ${url.protocol} and not with https:`)
  if (/^[\d.]+$|^\[/.test(url.hostname)) return refuse('its host is an address and not a name')
  if (!url.hostname.includes('.')) return refuse('its host is no public name')
  if (url.port !== '' && Number(url.port) < portMin) return refuse(`its port ${url.port} is neither 443 nor above 1023`)
  return { outcome: 'ok', url: url.href }
}
