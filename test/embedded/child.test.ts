import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { startNode, startProgram } from '../../scripts/embedded/child.ts'
import { freshDirectory, isAlive, until } from './directory.ts'

vi.setConfig({ testTimeout: 30_000 })

const sleeper = { command: process.execPath, args: ['-e', 'setInterval(() => undefined, 1000)'] }
const stubborn = {
  command: process.execPath,
  args: ['-e', 'process.on("SIGTERM", () => console.log("not yet")); setInterval(() => undefined, 1000)'],
}

describe('a program', () => {
  test('is stopped by the signal it wants', async () => {
    const child = await startProgram({ ...sleeper, stopSignal: 'SIGINT' })
    expect(isAlive(child.pid)).toBe(true)
    await child.stop()
    expect(await child.exited).toEqual({ code: null, signal: 'SIGINT' })
    expect(isAlive(child.pid)).toBe(false)
  })

  test('is killed when it does not stop within its grace time', async () => {
    const child = await startProgram({ ...stubborn, graceSeconds: 0.5 })
    await new Promise((resolve) => setTimeout(resolve, 300))
    await child.stop()
    expect(await child.exited).toEqual({ code: null, signal: 'SIGKILL' })
    expect(child.lastLines()).toBe('not yet')
  })

  test('tells its exit code and its last lines, on stderr too', async () => {
    const child = await startProgram({
      command: process.execPath,
      args: ['-e', 'console.log("one"); console.error("two"); process.exitCode = 7'],
    })
    expect((await child.exited).code).toBe(7)
    expect(child.lastLines().split('\n').sort()).toEqual(['one', 'two'])
  })

  test('that does not exist is refused with a sentence', async () => {
    await expect(startProgram({ command: '/nowhere/postgres' })).rejects.toThrow(
      /^postgres could not be started: spawn \/nowhere\/postgres ENOENT\.$/,
    )
  })

  test('goes when its keeper is killed with -9', async () => {
    const child = await startProgram({
      command: process.execPath,
      args: ['-e', 'console.log(process.ppid); setInterval(() => undefined, 1000)'],
    })
    await until(() => child.lastLines() !== '')
    process.kill(Number(child.lastLines()), 'SIGKILL')
    await child.exited
    await until(() => !isAlive(child.pid))
  })
})

describe('a Node program of ours', () => {
  const program = async (source: string) => {
    const entry = join(await freshDirectory(), 'program.mjs')
    await writeFile(entry, source)
    return { entry, name: 'The program' }
  }

  test('is ready when it says so', async () => {
    const child = await startNode<{ port: number }>(
      await program(`process.send({ ready: { port: 4020 } }); process.on('disconnect', () => process.exit())`),
    )
    expect(child.ready).toEqual({ port: 4020 })
    await child.stop()
    expect(isAlive(child.pid)).toBe(false)
  })

  test('that ends before it is ready is quoted', async () => {
    const failing = await program(`console.error('no database'); process.exitCode = 3`)
    await expect(startNode(failing)).rejects.toThrow(
      'The program stopped while starting (code 3). Its last lines:\nno database',
    )
  })

  test('may say in its own sentence why it cannot start', async () => {
    const failing = await program(`process.send({ failed: 'The journal is damaged.' }, () => process.exit(1))`)
    await expect(startNode(failing)).rejects.toThrow(/^The journal is damaged\.$/)
  })

  test('that never gets ready is given up', async () => {
    const mute = await program('setInterval(() => undefined, 1000)')
    await expect(startNode({ ...mute, readyWithinSeconds: 0.5 })).rejects.toThrow('was not ready within 0.5 s.')
  })
})

test('nothing is left running when the supervisor is killed with -9', async () => {
  const directory = await freshDirectory()
  const supervisor = spawn(process.execPath, [fileURLToPath(new URL('supervisor.ts', import.meta.url)), directory], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  onTestFinished(() => void supervisor.kill('SIGKILL'))
  const pids: number[] = await new Promise((resolve, reject) => {
    createInterface({ input: supervisor.stdout }).once('line', (line) => resolve(JSON.parse(line)))
    supervisor.once('exit', () => reject(new Error('The supervisor ended by itself.')))
  })
  expect(pids.length).toBeGreaterThanOrEqual(5)
  expect(pids.every(isAlive)).toBe(true)
  supervisor.removeAllListeners('exit').kill('SIGKILL')
  await until(() => !pids.some(isAlive))
})
