import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll } from 'vitest'

export type Received = {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
  /** Connection it came on. */
  readonly remotePort: number | undefined
}

/** A real server that keeps what it gets; `answer` decides what goes back. */
export async function startReceiver(
  answer: (received: Received, response: ServerResponse) => unknown,
): Promise<{ readonly url: string; readonly port: number; readonly received: readonly Received[] }> {
  const received: Received[] = []
  const listener: RequestListener = async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { url: path = '', headers, socket } = request
    const each = { path, headers, body: Buffer.concat(chunks).toString(), remotePort: socket.remotePort }
    received.push(each)
    answer(each, response)
  }
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterAll(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/`, port, received }
}
