import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTemporaryPostgres } from '../ports/postgres-server.ts'

const entry = new URL('../../api/main.ts', import.meta.url).pathname
const address = (digit: string) => `0x${digit.repeat(40)}`
const chain = {
  ...{ chainId: 31337, name: 'none', rpcUrl: 'http://127.0.0.1:1', vault: address('1'), relayerId: 1, blockSeconds: 1 },
  finality: { rule: 'tag' },
  tokens: [
    { address: address('2'), symbol: 'T', decimals: 6, scale: '1', amountMin: '1', amountMax: '9', holdAbove: '9' },
  ],
}
const key = `0x${'11'.repeat(32)}`
let environment: Record<string, string>

beforeAll(async () => {
  const postgres = await startTemporaryPostgres()
  const directory = await mkdtemp(join(tmpdir(), 'ice-test-api-'))
  afterAll(async () => {
    await postgres.stop()
    await rm(directory, { recursive: true, force: true })
  })
  const config = join(directory, 'config.json')
  await writeFile(config, JSON.stringify({ chains: [chain] }))
  environment = { DATABASE_URL: postgres.url, ICE_CONFIG: config, ACKNOWLEDGER_KEY: key, PORT: '0', LOG_LEVEL: 'warn' }
})

function start(changes: Record<string, string> = {}) {
  const child = fork(entry, { env: { ...environment, ...changes }, silent: true })
  afterAll(() => void child.kill('SIGKILL'))
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (said += chunk))
  return { child, ended: ended(child), said: () => said }
}
const ended = async (child: ChildProcess) => (await once(child, 'exit'))[0] as number | null
async function urlOf(child: ChildProcess): Promise<string> {
  const [message] = (await once(child, 'message')) as [{ ready: { url: string } }]
  return message.ready.url
}

describe('the API process', () => {
  test('says where it listens, lives before the relayer does, and is not ready until then', async () => {
    const { child, ended } = start()
    const url = await urlOf(child)
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    const ready = await fetch(`${url}/readyz`)
    expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining('has not seen its first block')])
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  })

  test('ends when its supervisor lets go of it', async () => {
    const { child, ended } = start()
    await urlOf(child)
    child.disconnect()
    expect(await ended).toBe(0)
  })

  test('says in one sentence that its port is taken', async () => {
    const first = start()
    const port = new URL(await urlOf(first.child)).port
    const second = start({ PORT: port })
    expect(await second.ended).toBe(1)
    expect(second.said()).toMatch(new RegExp(`^The API cannot listen on 127.0.0.1:${port}: .*EADDRINUSE`))
    first.child.kill('SIGTERM')
  })

  test.each([
    [{ PORT: '65536' }, 'PORT'],
    [{ ACKNOWLEDGER_KEY: '0x12' }, 'ACKNOWLEDGER_KEY'],
    [{ ACKNOWLEDGER_KEY_FILE: '/nowhere' }, 'either ACKNOWLEDGER_KEY or ACKNOWLEDGER_KEY_FILE'],
    [{ ICE_CONFIG: '/nowhere' }, 'cannot be read'],
    [{ DATABASE_URL: 'postgres://ice:hidden@127.0.0.1:1/ice' }, 'The database cannot be used'],
  ])('does not start with %j', async (changes, sentence) => {
    const { ended, said } = start(changes)
    expect(await ended).toBe(1)
    expect(said()).toContain(sentence)
    expect(said()).not.toMatch(/hidden|1111|at file:/)
  })
})
