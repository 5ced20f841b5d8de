import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A fresh directory that any user may enter, gone after the test. */
export async function freshDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'ice-test-'))
  await chmod(directory, 0o755)
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** Resolves when `condition` holds; rejects after `withinSeconds`. */
export async function until(condition: () => boolean | Promise<boolean>, { withinSeconds = 15 } = {}): Promise<void> {
  const deadline = Date.now() + withinSeconds * 1000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Waited ${withinSeconds} s in vain for: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
