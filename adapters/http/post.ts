import { isIP, type LookupFunction } from 'node:net'
import { Agent, buildConnector, errors, request } from 'undici'
import type { Post, Posted, PostFault } from '../../core/ports/post.ts'
import { AddressRefusedError, createResolve, NameNotFoundError, type Resolve } from './resolve.ts'

/** What one post may cost, whoever is on the other side. */
const limitsDefault = {
  /** To a connection with TLS, name resolution included. */
  connectMillisMax: 5_000,
  /** From the request to the end of the answer's headers. */
  headersMillisMax: 10_000,
  /** Between two pieces of the answer's body. */
  silenceMillisMax: 5_000,
  /** All of it. */
  totalMillisMax: 15_000,
  /** Of an answer's body, which nobody reads: past this the connection is closed. */
  bodyBytesMax: 16_384,
  headerBytesMax: 16_384,
  /** Shorter than most servers keep theirs, so that we do not write into a connection they are closing. */
  idleMillisMax: 4_000,
}

const userAgent = 'ICE-Webhooks/1'

/**
 * Posts through undici, a pool per origin. Pools have no limit of their own: how many posts one endpoint may have under way
 * is the caller's to bound, so that two endpoints behind one origin do not wait for each other.
 *
 * Addresses are judged where the connection is made, by what the name leads to at that moment: what it led to when it was
 * registered says nothing.
 * @param allowsLoopback development only
 */
export function createPost({
  allowsLoopback,
  dnsServers,
  limits = {},
}: {
  readonly allowsLoopback: boolean
  readonly dnsServers?: readonly string[]
  readonly limits?: Partial<typeof limitsDefault>
}): Post {
  const max = { ...limitsDefault, ...limits }
  const agent = new Agent({
    connect: guardedConnector(createResolve({ allowsLoopback, dnsServers }), max.connectMillisMax),
    pipelining: 1,
    headersTimeout: max.headersMillisMax,
    bodyTimeout: max.silenceMillisMax,
    keepAliveTimeout: max.idleMillisMax,
    keepAliveMaxTimeout: max.idleMillisMax,
    maxHeaderSize: max.headerBytesMax,
  })
  return {
    send: async ({ url, headers, body }): Promise<Posted> => {
      const signal = AbortSignal.timeout(max.totalMillisMax)
      try {
        const answer = await request(url, {
          dispatcher: agent,
          method: 'POST',
          headers: { ...headers, 'content-type': 'application/json', 'user-agent': userAgent },
          body,
          signal,
        })
        // The status is the answer; a body that never ends or breaks off changes nothing about it.
        await answer.body.dump({ limit: max.bodyBytesMax }).catch(() => undefined)
        const retryAfter = answer.headers['retry-after']
        return {
          outcome: 'answered',
          status: answer.statusCode,
          retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined,
        }
      } catch (error) {
        return { outcome: 'unanswered', fault: faultOf(error) }
      }
    },
    close: () => agent.destroy(),
  }
}

/** Names are judged as they are resolved for this very connection; an address in the URL is never resolved, so here. */
function guardedConnector(resolve: Resolve, connectMillisMax: number): buildConnector.connector {
  const connectorOf = (protocol: string): buildConnector.connector => {
    const lookup: LookupFunction = (name, { all }, answer) => {
      resolve(name, protocol).then(
        (addresses) => {
          if (all === true) answer(null, [...addresses])
          else answer(null, addresses[0]?.address ?? '', addresses[0]?.family)
        },
        (error: Error) => answer(error, ''),
      )
    }
    return buildConnector({ timeout: connectMillisMax, allowH2: false, lookup })
  }
  const connectors = { http: connectorOf('http:'), https: connectorOf('https:') }
  return (options, callback) => {
    const connect = options.protocol === 'https:' ? connectors.https : connectors.http
    if (isIP(options.hostname) === 0) return void connect(options, callback)
    resolve(options.hostname, options.protocol).then(
      () => connect(options, callback),
      (error: Error) => callback(error, null),
    )
  }
}

const faultByCode: Readonly<Record<string, PostFault>> = {
  ECONNREFUSED: 'connection_refused',
  ETIMEDOUT: 'connection_timeout',
  UND_ERR_CONNECT_TIMEOUT: 'connection_timeout',
  ECONNRESET: 'connection_lost',
  EPIPE: 'connection_lost',
  UND_ERR_SOCKET: 'connection_lost',
  UND_ERR_DESTROYED: 'connection_lost',
  UND_ERR_CLOSED: 'connection_lost',
  UND_ERR_HEADERS_TIMEOUT: 'answer_timeout',
  UND_ERR_BODY_TIMEOUT: 'answer_timeout',
  UND_ERR_HEADERS_OVERFLOW: 'answer_malformed',
}

/** In words of ours: an error's own message names addresses. */
function faultOf(error: unknown): PostFault {
  if (error instanceof AddressRefusedError) return 'address_refused'
  if (error instanceof NameNotFoundError) return 'name_not_found'
  if (error instanceof errors.HTTPParserError) return 'answer_malformed'
  if (error instanceof AggregateError) return faultOf(error.errors[0])
  if (!(error instanceof Error)) return 'unreachable'
  if (error.name === 'TimeoutError') return 'answer_timeout'
  const code = 'code' in error ? `${error.code}` : ''
  if (/CERT|TLS|SSL|SIGNATURE|ISSUER/.test(code)) return 'tls_failed'
  return faultByCode[code] ?? 'unreachable'
}
