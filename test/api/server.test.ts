import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterAll, expect, test } from 'vitest'
import { listen } from '../../api/server.ts'

async function start(limits: Parameters<typeof listen>[0]['limits'] = {}) {
  const server = listen({
    fetch: async (request) => new Response(`${(await request.text()).length}`),
    host: '127.0.0.1',
    port: 0,
    onListening: () => undefined,
    limits,
  })
  await once(server, 'listening')
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })
  return { server, port: (server.address() as AddressInfo).port }
}

/** What the server says until it hangs up. */
async function heard(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', (chunk) => (text += chunk))
  socket.on('error', () => undefined)
  await once(socket, 'close')
  return text
}
const head = 'POST / HTTP/1.1\r\nHost: a\r\n'

test('hangs up on headers that never end, and on a body that comes a byte at a time', async () => {
  const { port } = await start({ headersMillisMax: 200, requestMillisMax: 400, checkMillis: 50 })
  for (const sent of [head, `${head}Content-Length: 100\r\n\r\nx`]) {
    const socket = connect(port, '127.0.0.1')
    const drip = setInterval(() => socket.write(sent === head ? 'x' : 'y'), 60)
    socket.write(sent)
    expect(await heard(socket)).toMatch(/^HTTP\/1.1 408 /)
    clearInterval(drip)
  }
})

test('hangs up on whoever connects and says nothing', async () => {
  const { port } = await start({ silenceMillisMax: 200 })
  await heard(connect(port, '127.0.0.1'))
})

test('refuses headers over 16 KiB', async () => {
  const { port } = await start()
  const socket = connect(port, '127.0.0.1')
  socket.write(`${head}X-Long: ${'x'.repeat(17_000)}\r\n\r\n`)
  expect(await heard(socket)).toMatch(/^HTTP\/1.1 431 /)
})

test('takes no more connections than its limit, and the next one when one ends', async () => {
  const { port, server } = await start({ connectionsMax: 1 })
  const first = connect(port, '127.0.0.1')
  await once(server, 'connection')
  expect(await heard(connect(port, '127.0.0.1'))).toBe('')
  first.destroy()
  await once(first, 'close')
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(await (await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: 'abc' })).text()).toBe('3')
})

test('has every limit by default', async () => {
  const { server } = await start()
  expect(server).toMatchObject({
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    timeout: 60_000,
    keepAliveTimeout: 65_000,
    maxRequestsPerSocket: 10_000,
    maxConnections: 5_000,
  })
})
