import { StoreUnavailableError } from '../../core/ports/archive-store.ts'

/** An answer of a gateway, whatever its status; the body is cut off after `sizeMax` + 1 bytes. */
export type GatewayAnswer = { readonly status: number; readonly body: Uint8Array; readonly text: string }

export type Gateway = {
  readonly get: (path: string, sizeMax?: number) => Promise<GatewayAnswer>
  readonly post: (path: string, body: string) => Promise<GatewayAnswer>
}

/** Longest answer that is no data: an error page or a status. */
const answerBytesMax = 64 * 1024

/**
 * The HTTP API of an Arweave gateway or node. @throws StoreUnavailableError when it cannot be reached, is slow, or
 * answers with 429 or a 5xx. @param timeoutMillisMax of one request, its body included
 */
export function connectGateway({ url, timeoutMillisMax }: { url: string; timeoutMillisMax: number }): Gateway {
  const base = url.replace(/\/+$/, '')

  async function ask(path: string, init: RequestInit, sizeMax: number): Promise<GatewayAnswer> {
    const question = `${init.method ?? 'GET'} ${path}`
    try {
      const response = await fetch(base + path, { ...init, signal: AbortSignal.timeout(timeoutMillisMax) })
      const body = await upTo(sizeMax, response)
      const { status } = response
      if (status === 429 || status >= 500) throw new Error(`status ${status}`)
      return { status, body, text: new TextDecoder().decode(body.subarray(0, answerBytesMax)) }
    } catch (cause) {
      throw new StoreUnavailableError('arweave', question, { cause })
    }
  }

  return {
    get: (path, sizeMax = answerBytesMax) => ask(path, {}, sizeMax),
    post: (path, body) =>
      ask(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body }, answerBytesMax),
  }
}

async function upTo(sizeMax: number, { body }: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of body ?? []) {
    parts.push(part)
    size += part.length
    if (size > sizeMax) break
  }
  return Buffer.concat(parts).subarray(0, sizeMax + 1)
}
