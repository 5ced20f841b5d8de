import { Server } from 'node:http'
import { serve } from '@hono/node-server'

/** What one connection may cost before it is closed. Nobody needs more, and whoever takes more keeps others out. */
const limitsDefault = {
  /** All headers together. */
  headerBytesMax: 16_384,
  /** From the first byte of a request to the end of its headers: against headers sent a byte at a time. */
  headersMillisMax: 10_000,
  /** From the first byte of a request to the end of its body: 1 MiB over a slow mobile line with room to spare. */
  requestMillisMax: 30_000,
  /** How often the two are looked at: that much longer a slow request may live. */
  checkMillis: 1_000,
  /** Neither side sends anything while an answer is made or read; the slowest answer of ours takes half of it. */
  silenceMillisMax: 60_000,
  /** Between two requests; longer than a load balancer keeps its end, which is 60 s with most. */
  idleMillisMax: 65_000,
  /** Then the client opens a new connection, so that load spreads over processes that came later. */
  requestsPerConnectionMax: 10_000,
  /** More are closed as they come: each costs memory before it has said who it is. */
  connectionsMax: 5_000,
}

/** Opens the port, with every limit that Node has for those who have not been authenticated yet. */
export function listen({
  fetch,
  host,
  port,
  onListening,
  limits = {},
}: {
  readonly fetch: (request: Request) => Response | Promise<Response>
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly onListening: (at: { address: string; family: string; port: number }) => void
  readonly limits?: Partial<typeof limitsDefault>
}): Server {
  const max = { ...limitsDefault, ...limits }
  const server = serve(
    {
      fetch,
      hostname: host,
      port,
      serverOptions: {
        maxHeaderSize: max.headerBytesMax,
        headersTimeout: max.headersMillisMax,
        requestTimeout: max.requestMillisMax,
        connectionsCheckingInterval: max.checkMillis,
        keepAliveTimeout: max.idleMillisMax,
      },
    },
    onListening,
  )
  if (!(server instanceof Server))
    throw new TypeError('the API speaks HTTP/1.1; TLS and HTTP/2 end at the proxy in front')
  server.timeout = max.silenceMillisMax
  server.maxRequestsPerSocket = max.requestsPerConnectionMax
  server.maxConnections = max.connectionsMax
  return server
}
