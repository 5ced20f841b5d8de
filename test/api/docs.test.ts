import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { createApp } from '../../api/app.ts'
import { limitsDefault } from '../../api/limits.ts'
import { outageOf } from '../../api/outage.ts'
import type { ApiPorts } from '../../api/ports.ts'
import { configSchema } from '../../core/config.ts'
import { errors } from '../../core/errors.ts'
import { ChainUnavailableError } from '../../core/ports/chain.ts'

const chainJson = {
  ...{ chainId: 31337, name: 'local', rpcUrls: ['http://127.0.0.1:8545'], relayerId: 1, blockSeconds: 1 },
  vault: '0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512',
  finality: { rule: 'depth', depth: 2 },
  tokens: [
    {
      address: '0x5FbDB2315678afecb367f032d93F642f64180aa3',
      ...{ symbol: 'USDC', decimals: 6, scale: '1', amountMin: '1', amountMax: '1000', holdAbove: '1000' },
    },
  ],
}
const silent = () => undefined
const log = { debug: silent, info: silent, warn: silent, error: silent }
// Nothing behind these pages is asked, so nothing stands behind them.
const app = createApp({
  config: { chains: [] },
  chains: new Map(),
  log,
  limits: limitsDefault,
  webhookDeliveries: { backlog: async () => ({ openCount: 7, deadCount: 0, overdueSeconds: 1.5 }) },
  isReady: async () => ({ notReady: { database: 'it does not answer' } }),
} as unknown as ApiPorts)

describe('the documentation', () => {
  test('describes every route, who may call it and every code it refuses with', async () => {
    const document = (await (await app.request('/openapi.json')).json()) as {
      paths: Record<string, object>
      components: { securitySchemes: Record<string, unknown>; schemas: object }
    }
    const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    )
    expect(routes.filter((route) => route.includes('/v1/'))).toHaveLength(37)
    expect(document.components.securitySchemes.app).toMatchObject({ type: 'http', scheme: 'basic' })
    const text = JSON.stringify(document)
    for (const code of Object.keys(errors)) {
      if (code !== 'method_not_allowed') expect(text, code).toContain(`/errors/${code}`)
    }
    for (const [, name] of text.matchAll(/#\/components\/schemas\/(\w+)/g)) {
      expect(document.components.schemas, name).toHaveProperty(name as string)
    }
  })

  test('tells everybody which authority certifies acknowledgement keys, and which vaults and tokens there are', async () => {
    const [token] = chainJson.tokens
    const { chains } = configSchema.parse({ chains: [chainJson] })
    const authority = '0x90F79bf6EB2c4f870365E785982E1f101E93b906'
    const webhookKeys = { publicKeys: ['whpk_bmV3', 'whpk_b2xk'] }
    const ports = { limits: limitsDefault, config: { chains }, authority, webhookKeys, chains: new Map(), log }
    const withChain = createApp(ports as unknown as ApiPorts)
    const answer = await withChain.request('/.well-known/ice.json')
    expect(await answer.json()).toMatchObject({
      acknowledgementAuthority: authority,
      webhookKeys: ['whpk_bmV3', 'whpk_b2xk'],
      chains: [
        {
          ...{
            chainId: chainJson.chainId,
            name: chainJson.name,
            vault: chainJson.vault,
            relayerId: chainJson.relayerId,
          },
          tokens: [{ address: token?.address, symbol: 'USDC', scale: '1', amountMax: '1000' }],
        },
      ],
    })
  })

  test('lists the webhooks, with the headers that carry their signatures', async () => {
    const document = (await (await app.request('/openapi.json')).json()) as { webhooks: Record<string, object> }
    expect(Object.keys(document.webhooks)).toEqual(['payment.{state}', 'webhook.test'])
    expect(JSON.stringify(document.webhooks)).toContain('webhook-signature')
  })

  test('metrics are still told when the database is away', async () => {
    const backlog = async () => {
      throw new Error('away')
    }
    const ports = {
      limits: limitsDefault,
      config: { chains: [] },
      chains: new Map(),
      log,
      webhookDeliveries: { backlog },
    }
    const answer = await createApp(ports as unknown as ApiPorts).request('/metrics')
    expect(answer.status).toBe(200)
    expect(await answer.text()).toContain('ice_webhook_deliveries{state="open"} Nan')
  })

  test('names the states that an attempt really has', async () => {
    const text = JSON.stringify(await (await app.request('/openapi.json')).json())
    expect(text).toContain('prepared, signed or sent')
    expect(text).not.toMatch(/mined|replaced/)
  })

  test('is a page without scripts and foreign assets', async () => {
    const response = await app.request('/docs')
    const page = await response.text()
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(page).not.toMatch(/<script|style="|src="|href="http/)
    expect(page).toContain('Idempotency-Key')
    expect((await app.request('/docs/style.css')).headers.get('content-type')).toContain('text/css')
  })

  test('has a page for every code, and none for others', async () => {
    for (const code of Object.keys(errors)) {
      const response = await app.request(`/errors/${code}`)
      expect([code, response.status]).toEqual([code, 200])
      expect(await response.text()).toContain(code)
    }
    expect((await app.request('/errors/toString')).status).toBe(404)
    expect((await app.request('/errors/..%2f..%2fREADME')).status).toBe(404)
  })

  test('pages of errors are as fresh as the table they are made from', async () => {
    const script = new URL('../../scripts/generate-error-docs.ts', import.meta.url).pathname
    await expect(promisify(execFile)(process.execPath, [script, '--check'])).resolves.toBeDefined()
  })

  test('readyz says what is not ready, with 503', async () => {
    const response = await app.request('/readyz')
    expect([response.status, await response.json()]).toEqual([
      503,
      { status: 'not ready', notReady: { database: 'it does not answer' } },
    ])
    expect((await app.request('/healthz')).status).toBe(200)
    const metrics = await (await app.request('/metrics')).text()
    expect(metrics).toContain('ice_api_request_seconds')
    expect(metrics).toContain('ice_webhook_deliveries{state="open"} 7')
    expect(metrics).toContain('ice_webhook_overdue_seconds 1.5')
  })
})

describe('an error', () => {
  test.each([
    [new ChainUnavailableError('head'), 'chain_unavailable'],
    [Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), 'store_unavailable'],
    [Object.assign(new Error('x'), { code: '57P01' }), 'store_unavailable'],
    [new Error('outer', { cause: new Error('Connection terminated unexpectedly') }), 'store_unavailable'],
    [Object.assign(new Error('x'), { code: '23505' }), undefined],
    [new Error('anything else'), undefined],
  ])('%s is an outage: %s', (error, code) => {
    expect(outageOf(error)?.code).toBe(code)
  })

  test.each(['53100', '53200', '53300', '57P03', '58030', '08006', 'EMFILE'])(
    'of Postgres or its socket with code %s is an outage of the store',
    (code) => {
      expect(outageOf(Object.assign(new Error('x'), { code }))?.code).toBe('store_unavailable')
    },
  )
})
