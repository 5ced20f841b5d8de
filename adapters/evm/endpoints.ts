import { setTimeout as sleep } from 'node:timers/promises'
import { ChainUnavailableError } from '../../core/ports/chain.ts'
import type { Log } from '../../core/ports/log.ts'
import { connectNode, countSchema, NodeRefusal, quantitySchema, type Rpc, TransportError } from './rpc.ts'

/** A read whose transport fails is tried this often again; an answer, even an error answer, is not asked for again of the same node. */
const readRetryMax = 2
const readRetryMillis = 100
/** Transport failures in a row after which an endpoint is put aside. */
const failuresMax = 3
/** How long it is put aside: doubles each time it fails again. */
const asideMillisFirst = 5_000
const asideMillisMax = 60_000
/** An endpoint that is further behind the others than this is put aside: nodes of one provider differ by a block or two. */
const lagBlocksMax = 3n
/** How often the heads of all endpoints are compared, while anybody asks. */
const compareMillis = 5_000

type Endpoint = {
  /** Host alone: a path or a user may hold an access key. */
  readonly host: string
  readonly attempt: Rpc['attempt']
  /** Whether the node said that it serves the configured chain; undefined: not asked yet. */
  isRightChain: boolean | undefined
  failures: number
  asideUntilMillis: number
}

/**
 * Several nodes of one chain behind one `Rpc`. All that is asked goes to the first endpoint that is not put aside; what it
 * cannot answer goes to the next. An endpoint is put aside when it is not reached, serves another chain, or is behind the
 * others; if all are aside, all are tried in turn. Reads of state are pinned to block hashes, so that a change of node in
 * between cannot mix two histories, and a node that refuses one it does not know yet hands over to one that does. A block by
 * its number may be absent at a node that is behind: whoever asks for one must know that.
 */
export function connectEndpoints({
  chainId,
  rpcUrls,
  timeoutMillisMax,
  log,
}: {
  readonly chainId: number
  readonly rpcUrls: readonly string[]
  readonly timeoutMillisMax: number
  readonly log: Log
}): Rpc {
  const endpoints = rpcUrls.map(
    (rpcUrl): Endpoint => ({
      host: new URL(rpcUrl).host,
      attempt: connectNode({ rpcUrl, timeoutMillisMax }),
      isRightChain: rpcUrls.length === 1 ? true : undefined,
      failures: 0,
      asideUntilMillis: 0,
    }),
  )
  let comparedMillis = Number.NEGATIVE_INFINITY

  function putAside(endpoint: Endpoint, why: string): void {
    const times = Math.max(0, endpoint.failures - failuresMax)
    const millis = Math.min(asideMillisMax, asideMillisFirst * 2 ** times)
    endpoint.asideUntilMillis = performance.now() + millis
    if (endpoints.length > 1)
      log.warn({ chainId, endpoint: endpoint.host, why, seconds: millis / 1000 }, 'an RPC endpoint is put aside')
  }

  /** In the order of the configuration, those that are aside last. */
  function inOrder(): readonly Endpoint[] {
    const now = performance.now()
    const isAside = ({ asideUntilMillis }: Endpoint): boolean => asideUntilMillis > now
    return [...endpoints.filter((each) => !isAside(each)), ...endpoints.filter(isAside)]
  }

  async function askEndpoint<T>(endpoint: Endpoint, ...question: Parameters<typeof endpoint.attempt<T>>) {
    try {
      if (endpoint.isRightChain === undefined) await checkChain(endpoint)
      const answer = await endpoint.attempt<T>(...question)
      endpoint.failures = 0
      return answer
    } catch (error) {
      if (isTransport(error)) {
        endpoint.failures++
        if (endpoint.failures >= failuresMax) putAside(endpoint, reasonOf(error))
        // Who comes back may be another node behind the same name.
        if (endpoints.length > 1) endpoint.isRightChain = undefined
      }
      throw error
    }
  }

  /** @throws ChainUnavailableError if the node serves another chain: nothing it says is about ours. */
  async function checkChain(endpoint: Endpoint): Promise<void> {
    const served = await endpoint.attempt('eth_chainId', [], countSchema)
    if (served === chainId) {
      endpoint.isRightChain = true
      return
    }
    endpoint.failures = failuresMax
    putAside(endpoint, served instanceof NodeRefusal ? served.message : `it serves chain ${served}`)
    throw new ChainUnavailableError(`${endpoint.host} does not serve chain ${chainId}`)
  }

  /** Runs beside the question that came by, so that an endpoint that stands still is noticed although it answers. */
  async function compareHeads(): Promise<void> {
    const heads = await Promise.all(
      endpoints.map(async (endpoint) => {
        // A node may come to serve another chain without ever failing.
        if (endpoints.length > 1) endpoint.isRightChain = undefined
        const head = await askEndpoint(endpoint, 'eth_blockNumber', [], quantitySchema).catch((error: unknown) => {
          if (error instanceof ChainUnavailableError) return undefined
          throw error
        })
        return { endpoint, head: head instanceof NodeRefusal ? undefined : head }
      }),
    )
    const agreed = agreedHead(heads.flatMap(({ head }) => head ?? []))
    for (const { endpoint, head } of heads) {
      if (head !== undefined && head + lagBlocksMax < agreed)
        putAside(endpoint, `it is at block ${head}, others are at ${agreed}`)
    }
  }

  function compareNowAndThen(): void {
    if (endpoints.length === 1 || performance.now() - comparedMillis < compareMillis) return
    comparedMillis = performance.now()
    compareHeads().catch((error: unknown) => log.error({ chainId, err: error }, 'heads could not be compared'))
  }

  const attempt: Rpc['attempt'] = async (...question) => {
    compareNowAndThen()
    let failure: unknown
    for (const endpoint of inOrder()) {
      try {
        return await askEndpoint(endpoint, ...question)
      } catch (error) {
        if (!(error instanceof ChainUnavailableError)) throw error
        failure = error
      }
    }
    throw failure
  }

  /** One round over the endpoints; an error answer of one is passed on only if no other has a better one. */
  async function askAll<T>(...question: Parameters<typeof attempt<T>>): Promise<T> {
    let failure: unknown
    for (const endpoint of inOrder()) {
      try {
        const answer = await askEndpoint<T>(endpoint, ...question)
        if (!(answer instanceof NodeRefusal)) return answer
        failure = new ChainUnavailableError(`${question[0]} was refused`, { cause: answer })
      } catch (error) {
        if (!(error instanceof ChainUnavailableError)) throw error
        failure = error
      }
    }
    throw failure
  }

  return {
    attempt,
    ask: async (...question) => {
      compareNowAndThen()
      for (let left = readRetryMax; ; left--) {
        try {
          return await askAll(...question)
        } catch (error) {
          if (!isTransport(error) || left === 0) throw error
          await sleep(readRetryMillis)
        }
      }
    },
  }
}

/**
 * The head that at least half of the nodes have reached: one that runs ahead of all others, because it lies or follows
 * something else, puts nobody aside. Of two nodes it is the higher head: who is behind cannot be told from who runs ahead, and
 * finality asks for hashes anyway.
 */
function agreedHead(heads: readonly bigint[]): bigint {
  const descending = heads.toSorted((a, b) => (a > b ? -1 : 1))
  return descending[Math.floor((descending.length - 1) / 2)] ?? 0n
}

function isTransport(error: unknown): error is ChainUnavailableError {
  return error instanceof ChainUnavailableError && error.cause instanceof TransportError
}

function reasonOf({ cause }: ChainUnavailableError): string {
  return cause instanceof Error ? cause.message : 'it failed'
}
