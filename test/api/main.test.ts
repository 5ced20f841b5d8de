import { type ChildProcess, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startAnvil } from '../../scripts/embedded/chain-anvil.ts'
import { localAccounts, privateKeyOf } from '../../scripts/local/accounts.ts'
import { build } from '../../scripts/local/build.ts'
import { deploy } from '../../scripts/local/deploy.ts'
import { startTemporaryPostgres } from '../ports/postgres-server.ts'

const entry = new URL('../../api/main.ts', import.meta.url).pathname
let environment: Record<string, string>
/** The same configuration, but its chain is where nobody answers. */
let silentChain: string

beforeAll(async () => {
  await build()
  const [postgres, node] = await Promise.all([startTemporaryPostgres(), startAnvil({ blockSeconds: 1 })])
  const directory = await mkdtemp(join(tmpdir(), 'ice-test-api-'))
  afterAll(async () => {
    await Promise.all([postgres.stop(), node.stop()])
    await rm(directory, { recursive: true, force: true })
  })
  const { chainId, vault, relayerId, tokens } = await deploy(node)
  const write = async (name: string, rpcUrl: string): Promise<string> => {
    const path = join(directory, name)
    const chain = {
      ...{ chainId, name: 'anvil', rpcUrls: [rpcUrl], vault, relayerId, blockSeconds: 1, finality: { rule: 'tag' } },
      tokens: tokens.map((token) => ({ ...token, amountMin: '1', amountMax: '9', holdAbove: '9' })),
    }
    await writeFile(path, JSON.stringify({ chains: [chain] }))
    return path
  }
  silentChain = await write('silent.json', 'http://127.0.0.1:1')
  environment = {
    ...{
      DATABASE_URL: postgres.url,
      ICE_CONFIG: await write('config.json', node.rpcUrl),
      PORT: '0',
      LOG_LEVEL: 'warn',
    },
    ACKNOWLEDGER: `local:${privateKeyOf(localAccounts.acknowledger)}`,
    SECRET_KEYS: `0x${'5e'.repeat(32)}`,
  }
})

function start(changes: Record<string, string> = {}) {
  const child = fork(entry, { env: { ...environment, ...changes }, silent: true })
  afterAll(() => void child.kill('SIGKILL'))
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (said += chunk))
  return { child, ended: ended(child), said: () => said }
}
async function register() {
  const client = new pg.Client({ connectionString: environment.DATABASE_URL })
  await client.connect()
  const secret = createHash('sha256').update('secret').digest()
  const registered = await client.query(
    "insert into app (id, name, secret_sha256, role) values ('shop', 'Shop', $1, 'app') returning id",
    [secret],
  )
  await client.end()
  return registered
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

  test.each(['SIGTERM', 'disconnect'] as const)(
    'does not listen before it has compared its vault with the configuration, says so, and ends on %s',
    async (end) => {
      const { child, ended, said } = start({ ICE_CONFIG: silentChain })
      let isReady = false
      child.on('message', () => (isReady = true))
      while (said().match(/waits for its chain/g)?.length !== 2) await sleep(50)
      expect(isReady).toBe(false)
      if (end === 'disconnect') child.disconnect()
      else child.kill(end)
      expect(await ended).toBe(0)
    },
  )

  test('ends a stream that is open, and itself with it', async () => {
    const { child, ended } = start()
    const url = await urlOf(child)
    const { rows } = await register()
    expect(rows).toHaveLength(1)
    const headers = { authorization: `Basic ${btoa('shop:secret')}` }
    const stream = await fetch(`${url}/v1/stream`, { headers })
    expect(stream.status).toBe(200)
    child.kill('SIGTERM')
    expect(await stream.text()).toMatch(/^retry: /)
    expect(await ended).toBe(0)
  })

  test('does not start for a vault that knows another authority', async () => {
    const { ended, said } = start({ ACKNOWLEDGER: `local:0x${'11'.repeat(32)}` })
    expect(await ended).toBe(1)
    expect(said()).toContain('Nothing is promised, because anvil: the acknowledgement authority is')
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
    [{ APP_REQUESTS_MAX: '0' }, 'APP_REQUESTS_MAX'],
    [{ PROXY_HOPS: '-1' }, 'PROXY_HOPS'],
    [{ ACKNOWLEDGER: 'local:0x1111' }, 'ACKNOWLEDGER: local: is followed by 32 bytes in hex, with 0x.'],
    [{ ACKNOWLEDGER: `0x${'11'.repeat(32)}` }, 'ACKNOWLEDGER: begins with local:, keystore:, aws-kms:, pkcs11:.'],
    [{ SECRET_KEYS: `0x${'5e'.repeat(32)},0x12` }, 'SECRET_KEYS'],
    [
      { ACKNOWLEDGER: 'keystore:/nowhere?password-file=/hidden' },
      'The keystore /nowhere cannot be used: it cannot be read',
    ],
    [{ ICE_CONFIG: '/nowhere' }, 'cannot be read'],
    [{ DATABASE_URL: 'postgres://ice:hidden@127.0.0.1:1/ice' }, 'The database cannot be used'],
  ])('does not start with %j', async (changes, sentence) => {
    const { ended, said } = start(changes)
    expect(await ended).toBe(1)
    expect(said()).toContain(sentence)
    expect(said()).not.toMatch(/hidden|1111|at file:/)
  })
})
