import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { bodyOf } from '../../scripts/local/client.ts'
import { available, finalized, pay, run, serve } from './local.ts'

const folders: string[] = []
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))))
async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'ice-life-'))
  // As root, Postgres runs as another user, who must be able to enter.
  await chmod(path, 0o755)
  folders.push(path)
  return path
}

test.each(['hardhat', 'anvil'])('a system with --data on %s goes on where it was stopped', async (chain) => {
  const data = await folder()
  const first = await serve(['--chain', chain, '--data', data])
  const before = await available(first, 0)
  const { id } = bodyOf(await pay(first, 0, 1_000_000n))
  await finalized(first, id)
  expect(await first.stop()).toBe(0)

  const second = await serve(['--chain', chain, '--data', data])
  expect({ ...second.contracts, app: second.app }).toEqual({ ...first.contracts, app: first.app })
  await finalized(second, id)
  expect(await available(second, 0)).toBe(before - 1_000_000n)
  await finalized(second, bodyOf(await pay(second, 0, 2_000_000n)).id)
  expect(await available(second, 0)).toBe(before - 3_000_000n)
  expect(await second.stop()).toBe(0)

  const other = chain === 'anvil' ? 'hardhat' : 'anvil'
  const { code, text } = await run(['--serve', '--chain', other, '--data', data]).ended
  expect(code).toBe(1)
  expect(text).toContain(`was made with --chain ${chain}`)
})

test('payments that were acknowledged when the whole machine died settle after the restart, once each', async () => {
  const data = await folder()
  const first = await serve(['--data', data])
  const before = await available(first, 0)
  const ids = await Promise.all(Array.from({ length: 12 }, async () => bodyOf(await pay(first, 0, 1_000_000n)).id))
  first.process.kill('SIGKILL')

  const second = await serveWhenFree(data)
  for (const id of ids) await finalized(second, id)
  expect(await available(second, 0)).toBe(before - 12_000_000n)
  expect(await second.stop()).toBe(0)
})

/** What the killed supervisor started needs a moment to notice and stop. */
async function serveWhenFree(data: string) {
  for (let tries = 0; ; tries++) {
    try {
      return await serve(['--data', data])
    } catch (error) {
      if (tries === 10) throw error
      await new Promise((resolve) => setTimeout(resolve, 1_000))
    }
  }
}
