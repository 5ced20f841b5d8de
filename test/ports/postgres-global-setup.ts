import type { TestProject } from 'vitest/node'
import { startTemporaryPostgres } from './postgres-server.ts'

/** One server for a whole test run; every file makes its own database on it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { url, stop } = await startTemporaryPostgres()
  project.provide('postgresUrl', url)
  return stop
}
