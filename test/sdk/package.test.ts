import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../', import.meta.url))
const tsc = join(root, 'node_modules/typescript/bin/tsc')
const manifest = JSON.parse(await readFile(join(root, 'sdk/package.json'), 'utf8'))
const entries = Object.keys(manifest.exports).map((entry) => entry.slice(2))
let home: string

/** A project of somebody else, which has the built package and what it depends on, and nothing more. */
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'ice-sdk-'))
  const installed = join(home, 'node_modules/@ice-relayer/sdk')
  await mkdir(installed, { recursive: true })
  await run(process.execPath, [tsc, '-p', join(root, 'sdk/tsconfig.json'), '--outDir', join(installed, 'dist')])
  await cp(join(root, 'sdk/package.json'), join(installed, 'package.json'))
  for (const name of Object.keys(manifest.dependencies)) {
    await symlink(join(root, 'node_modules', name), join(home, 'node_modules', name))
  }
  await writeFile(join(home, 'package.json'), '{"type":"module"}')
})
afterAll(() => rm(home, { recursive: true, force: true }))

test('every entry can be imported by a program that has only viem and zod', async () => {
  const program = `
    const names = {}
    for (const entry of ${JSON.stringify(entries)}) names[entry] = Object.keys(await import('@ice-relayer/sdk/' + entry))
    console.log(JSON.stringify(names))`
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], { cwd: home })
  expect(JSON.parse(stdout)).toMatchObject({
    acknowledgement: ['checkAcknowledgement'],
    client: expect.arrayContaining(['createClient']),
    errors: expect.arrayContaining(['IceError', 'IceUnreachableError', 'SigningRefusedError']),
    merchant: ['createMerchant'],
    wallet: ['createWallet'],
    watch: ['watch'],
    webhook: ['createWebhookReader'],
  })
})

test('only what verifies webhooks loads zod: a page does not', async () => {
  await rm(join(home, 'node_modules/zod'))
  const load = (entry: string) =>
    run(process.execPath, ['--input-type=module', '-e', `await import('@ice-relayer/sdk/${entry}')`], { cwd: home })
  for (const entry of entries.filter((entry) => entry !== 'webhook')) await load(entry)
  await expect(load('webhook')).rejects.toThrow('zod')
  await symlink(join(root, 'node_modules/zod'), join(home, 'node_modules/zod'))
})

test('its types are found, and say what is wrong', async () => {
  const check = async (text: string) => {
    await writeFile(join(home, 'page.ts'), text)
    const options = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--lib',
      'es2024,dom',
      '--types',
      '',
      '--skipLibCheck',
    ]
    const args = [tsc, ...options, '--target', 'es2022', 'page.ts']
    return run(process.execPath, args, { cwd: home }).catch(({ stdout }: { stdout: string }) => ({ stdout }))
  }
  const pay = (amount: string) => `
    import { createClient } from '@ice-relayer/sdk/client'
    import type { Facts } from '@ice-relayer/sdk/facts'
    import { createWallet, type Provider } from '@ice-relayer/sdk/wallet'
    export function pay(facts: Facts, provider: Provider) {
      const wallet = createWallet({ client: createClient({ baseUrl: '' }), facts, provider })
      return wallet.pay({ chainId: 1, payer: '0x1', payee: '0x2', token: '0x3', amount: ${amount} })
    }`
  expect((await check(pay('1n'))).stdout).toBe('')
  expect((await check(pay('0.1'))).stdout).toContain("Type 'number' is not assignable to type 'bigint'")
})

test('it depends on the very versions that are tested here', async () => {
  const { dependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  for (const [name, version] of Object.entries(manifest.dependencies))
    expect([name, version]).toEqual([name, dependencies[name]])
})
