import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run } from './local.ts'

const parts = () =>
  execFileSync('ps', ['-eo', 'args'])
    .toString()
    .split('\n')
    .filter((line) => /ice-refused/.test(line))

test('a taken port is one sentence with a way out, and nothing is left running', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const { code, text } = await run(['--serve', '--port', `${port}`]).ended
  server.close()
  expect(code).toBe(1)
  expect(text).toContain(`Port ${port} is taken`)
  expect(text).not.toMatch(/\n\s+at /)
})

test('a folder that is a file is one sentence', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'ice-refused-'))
  const file = join(directory, 'file')
  await writeFile(file, 'not a folder')
  await chmod(directory, 0o755)
  const { code, text } = await run(['--once', '--data', file]).ended
  await rm(directory, { recursive: true })
  expect(code).toBe(1)
  expect(text).toContain(`${file} cannot be written`)
  expect(text).not.toMatch(/\n\s+at /)
  expect(parts()).toEqual([])
})

test.each([
  [['--chain', 'mainnet'], '--chain is hardhat or anvil, not mainnet.'],
  [['--port', 'http'], '--port is a number from 1 to 65535, not http.'],
  [['--once', '--serve'], 'choose one'],
  [['--json'], '--json goes with --serve'],
  [['--fast'], '--fast'],
])('%j is refused with its reason', async (args, reason) => {
  const { code, text } = await run(args).ended
  expect(code).toBe(1)
  expect(text).toContain(reason)
  expect(text).not.toMatch(/\n\s+at /)
})
