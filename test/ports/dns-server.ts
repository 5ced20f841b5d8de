import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterAll } from 'vitest'

/**
 * A real name server on this machine. `answer` gives the IPv4 addresses of a name for each question, so that a name may lead
 * elsewhere the next time; undefined: no answer ever. @see RFC 1035 §4.1
 */
export async function startNameServer(answer: (name: string) => readonly string[] | undefined): Promise<string> {
  const socket = createSocket('udp4')
  socket.on('message', (question, { port, address }) => {
    const labels: string[] = []
    let at = 12
    for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
      labels.push(question.subarray(at + 1, at + 1 + length).toString())
      at += 1 + length
    }
    const type = question.readUInt16BE(at + 1)
    const found = answer(labels.join('.'))
    if (found === undefined) return
    const addresses = type === 1 ? found : []
    const head = Buffer.alloc(12)
    head.writeUInt16BE(question.readUInt16BE(0), 0)
    head.writeUInt16BE(0x8180, 2)
    head.writeUInt16BE(1, 4)
    head.writeUInt16BE(addresses.length, 6)
    const records = addresses.map((text) =>
      Buffer.concat([Buffer.from('c00c00010001000000000004', 'hex'), Buffer.from(text.split('.').map(Number))]),
    )
    socket.send(Buffer.concat([head, question.subarray(12, at + 5), ...records]), port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  afterAll(() => socket.close())
  return `127.0.0.1:${(socket.address() as AddressInfo).port}`
}
