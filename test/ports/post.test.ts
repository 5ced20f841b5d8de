import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { afterAll, describe, expect, test } from 'vitest'
import { judgeAddress } from '../../adapters/http/address.ts'
import { createPost } from '../../adapters/http/post.ts'
import { startNameServer } from './dns-server.ts'
import { startReceiver } from './receiver.ts'

const limits = {
  connectMillisMax: 1_000,
  headersMillisMax: 1_000,
  silenceMillisMax: 300,
  totalMillisMax: 2_000,
  bodyBytesMax: 16_384,
}
const post = createPost({ allowsLoopback: true, limits })
afterAll(post.close)
const send = (url: string, { headers = {}, body = '{}' } = {}, by = post) => by.send({ url, headers, body })

/** A server that speaks TCP as it likes. */
async function startTcp(talk: (socket: Socket) => unknown): Promise<string> {
  const server: Server = createTcpServer((socket) => {
    socket.on('error', () => undefined)
    talk(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterAll(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

describe('a post', () => {
  test('carries exactly the bytes and headers it was given, and says who it is', async () => {
    const { url, received } = await startReceiver((_, response) => response.writeHead(204).end())
    const body = '{"amount":"1","reason":"日本 \\u0000"}'
    expect(await send(`${url}hook?a=1`, { headers: { 'webhook-id': 'wd_1' }, body })).toEqual({
      ...{ outcome: 'answered', status: 204, retryAfter: undefined },
    })
    expect(received).toMatchObject([
      { path: '/hook?a=1', body, headers: { 'webhook-id': 'wd_1', 'content-type': 'application/json' } },
    ])
  })

  test('uses a connection again', async () => {
    const { url, received } = await startReceiver((_, response) => response.end('taken'))
    for (let count = 0; count < 20; count++) await send(url)
    // A connection is free a tick after its answer: the next post may find the other one.
    expect(new Set(received.map(({ remotePort }) => remotePort)).size).toBeLessThanOrEqual(2)
  })

  test('follows no redirect', async () => {
    const inside = await startReceiver((_, response) => response.end())
    const { url } = await startReceiver((_, response) => response.writeHead(307, { location: inside.url }).end())
    expect(await send(url)).toMatchObject({ outcome: 'answered', status: 307 })
    expect(inside.received).toEqual([])
  })

  test.each([410, 429, 500])('tells status %i, and when to come back', async (status) => {
    const { url } = await startReceiver((_, response) => response.writeHead(status, { 'retry-after': '120' }).end())
    expect(await send(url)).toEqual({ outcome: 'answered', status, retryAfter: '120' })
  })

  test('ends at headers that never come', async () => {
    const { url } = await startReceiver(() => undefined)
    expect(await send(url)).toEqual({ outcome: 'unanswered', fault: 'answer_timeout' })
  })

  test('ends at headers that come a byte at a time', async () => {
    const url = await startTcp((socket) => {
      const timer = setInterval(() => socket.write('x'), 50)
      socket.write('HTTP/1.1 200 OK\r\nx-slow: ')
      socket.on('close', () => clearInterval(timer))
    })
    expect(await send(url)).toEqual({ outcome: 'unanswered', fault: 'answer_timeout' })
  })

  test('reads no more of an endless body than its limit, and believes the status', async () => {
    let written = 0
    let closed: (value: unknown) => void = () => undefined
    const isClosed = new Promise((resolve) => {
      closed = resolve
    })
    const url = await startTcp((socket) => {
      socket.on('close', closed)
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
        const chunk = Buffer.alloc(1_024, 'x')
        const pour = (): void => {
          while (!socket.destroyed && written < 100_000_000) {
            written += chunk.length
            if (!socket.write(`400\r\n${chunk}\r\n`)) return void socket.once('drain', pour)
          }
        }
        pour()
      })
    })
    expect(await send(url)).toMatchObject({ outcome: 'answered', status: 200 })
    await isClosed
    // What the sockets of both sides buffer comes on top of the 16 kB.
    expect(written).toBeLessThan(20_000_000)
  })

  test('ends at a body that trickles', async () => {
    const { url } = await startReceiver((_, response) => {
      response.writeHead(200)
      const timer = setInterval(() => response.write('x'), 50)
      response.on('close', () => clearInterval(timer))
    })
    expect(await send(url)).toMatchObject({ outcome: 'answered', status: 200 })
  })

  test.each([
    ['a reset', (socket: Socket) => socket.once('data', () => socket.resetAndDestroy()), 'connection_lost'],
    ['an end without an answer', (socket: Socket) => socket.once('data', () => socket.end()), 'connection_lost'],
    ['something that is no HTTP', (socket: Socket) => socket.end('SSH-2.0-OpenSSH\r\n'), 'answer_malformed'],
    [
      'headers without end',
      (socket: Socket) => {
        const line = `x-${'y'.repeat(1_000)}: z\r\n`
        socket.write('HTTP/1.1 200 OK\r\n')
        for (let count = 0; count < 40; count++) socket.write(line)
      },
      'answer_malformed',
    ],
  ])('meets %s and says so', async (_, talk, fault) => {
    expect(await send(await startTcp(talk))).toEqual({ outcome: 'unanswered', fault })
  })

  test('says that nobody listens', async () => {
    const { port } = await startReceiver(() => undefined)
    const free = createTcpServer().listen(0, '127.0.0.1')
    await once(free, 'listening')
    const closed = (free.address() as AddressInfo).port
    free.close()
    await once(free, 'close')
    expect(closed).not.toBe(port)
    expect(await send(`http://127.0.0.1:${closed}/`)).toEqual({ outcome: 'unanswered', fault: 'connection_refused' })
  })

  test('speaks TLS where https is asked for: a server without it is not believed', async () => {
    const { port } = await startReceiver((_, response) => response.end())
    expect(await send(`https://127.0.0.1:${port}/`)).toMatchObject({ outcome: 'unanswered', fault: 'tls_failed' })
  })
})

describe('addresses', () => {
  test.each([
    ['8.8.8.8', 'public'],
    ['2606:4700::1111', 'public'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['::1', 'loopback'],
    ...[
      '0.0.0.0',
      '10.0.0.1',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '169.254.169.254',
      '100.64.0.1',
      '100.100.100.200',
      '168.63.129.16',
      '192.0.0.192',
      '192.0.2.1',
      '198.18.0.1',
      '192.88.99.1',
      '224.0.0.1',
      '240.0.0.1',
      '255.255.255.255',
      '::',
      '::127.0.0.1',
      '::ffff:127.0.0.1',
      '::ffff:8.8.8.8',
      '::ffff:a9fe:a9fe',
      '64:ff9b::a9fe:a9fe',
      '64:ff9b:1::1',
      'fc00::1',
      'fd00:ec2::254',
      'fe80::1',
      'fe80::1%eth0',
      'fec0::1',
      'ff02::1',
      '2001:db8::1',
      '2001::1',
      '2002:7f00:1::1',
      '5f00::1',
      'no address',
      '',
    ].map((address) => [address, 'refused'] as const),
  ] as const)('%s is %s', (address, kind) => {
    expect(judgeAddress(address)).toBe(kind)
  })

  test('in a URL are refused in whatever way they are written, and nobody is connected to', async () => {
    const strict = createPost({ allowsLoopback: false, limits })
    const { port, received } = await startReceiver((_, response) => response.end())
    const hosts = [
      '127.0.0.1',
      '2130706433',
      '0x7f.1',
      '0177.0.0.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      'localhost',
      'LOCALHOST.',
    ]
    for (const host of [...hosts, '169.254.169.254', '[fd00:ec2::254]']) {
      for (const scheme of ['http', 'https']) {
        const answer = await send(`${scheme}://${host}:${port}/`, {}, strict)
        expect([host, answer]).toEqual([
          host,
          { outcome: 'unanswered', fault: expect.stringMatching(/refused|not_found/) },
        ])
        expect(answer).not.toMatchObject({ fault: 'connection_refused' })
      }
    }
    await strict.close()
    expect(received).toEqual([])
  })

  test('in development loopback is let in, other inside addresses are not, and http goes nowhere else', async () => {
    const { url } = await startReceiver((_, response) => response.end())
    expect(await send(url.replace('127.0.0.1', 'localhost'))).toMatchObject({ status: 200 })
    for (const host of ['10.0.0.1', '169.254.169.254', '8.8.8.8']) {
      expect(await send(`http://${host}/`)).toEqual({ outcome: 'unanswered', fault: 'address_refused' })
    }
  })
})

describe('names', () => {
  test('that lead inside at the moment of the connection are refused, whatever they led to before', async () => {
    const { port, received } = await startReceiver((_, response) => response.end())
    const asked: string[] = []
    const server = await startNameServer((name) => {
      asked.push(name)
      return name === 'inside.example' ? ['127.0.0.1'] : name === 'mixed.example' ? ['8.8.8.8', '10.0.0.1'] : []
    })
    const strict = createPost({ allowsLoopback: false, dnsServers: [server], limits })
    for (const name of ['inside.example', 'mixed.example']) {
      expect(await send(`https://${name}:${port}/`, {}, strict)).toEqual({
        ...{ outcome: 'unanswered', fault: 'address_refused' },
      })
    }
    expect(asked).toContain('inside.example')
    await strict.close()
    expect(received).toEqual([])
  })

  test('that change between two connections are judged anew: rebinding leads nowhere', async () => {
    let isRebound = false
    const inside = await startReceiver((_, response) => response.end())
    const server = await startNameServer(() => [isRebound ? '10.0.0.1' : '127.0.0.1'])
    const both = createPost({ allowsLoopback: true, dnsServers: [server], limits: { ...limits, idleMillisMax: 1 } })
    const url = `http://rebind.example:${inside.port}/`
    expect(await send(url, {}, both)).toMatchObject({ outcome: 'answered', status: 200 })
    isRebound = true
    await expect.poll(() => send(url, {}, both)).toEqual({ outcome: 'unanswered', fault: 'address_refused' })
    await both.close()
  })

  test('are asked for once, and the connection goes to that answer', async () => {
    let questions = 0
    const inside = await startReceiver((_, response) => response.end())
    const server = await startNameServer(() => {
      questions++
      // A and AAAA of one connection; whoever asks a third time is led astray.
      return [questions <= 2 ? '127.0.0.1' : '10.0.0.1']
    })
    const once = createPost({ allowsLoopback: true, dnsServers: [server], limits })
    expect(await send(`http://once.example:${inside.port}/`, {}, once)).toMatchObject({ status: 200 })
    expect(questions).toBe(2)
    await once.close()
  })

  test('that do not exist, and name servers that never answer', async () => {
    const silent = await startNameServer((name) => (name === 'silent.example' ? undefined : []))
    const asking = createPost({ allowsLoopback: false, dnsServers: [silent], limits })
    expect(await send('https://nobody.example/', {}, asking)).toEqual({
      outcome: 'unanswered',
      fault: 'name_not_found',
    })
    const never = await send('https://silent.example/', {}, asking)
    expect(never).toEqual({ outcome: 'unanswered', fault: 'connection_timeout' })
    await asking.close()
  })
})
