import { defineConfig } from 'vitest/config'

/** One project per kind of part, so that `vitest run --project core` is quick. Real servers start per file: two at a time. */
const project = (name: string, include: string[], test = {}) => ({
  extends: true as const,
  test: { name, include, ...test },
})
/** One Postgres server for a whole run; every file makes a database of its own on it. */
const onPostgres = { globalSetup: ['test/ports/postgres-global-setup.ts'] }

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    projects: [
      project('tidy', ['test/tidy.test.ts']),
      project('core', ['test/core/**/*.test.ts']),
      project('contracts', ['test/contracts/**/*.test.ts']),
      project('embedded', ['test/embedded/**/*.test.ts']),
      project('ports', ['test/ports/**/*.test.ts'], onPostgres),
      project('api', ['test/api/**/*.test.ts'], onPostgres),
      project('relayer', ['test/relayer/**/*.test.ts'], onPostgres),
      project('sdk', ['test/sdk/**/*.test.ts'], onPostgres),
      // Whole systems start and stop here, several of them in one test.
      project('life', ['test/life/**/*.test.ts'], { testTimeout: 300_000 }),
      project('peers', ['test/peers/**/*.test.ts'], { testTimeout: 300_000 }),
    ],
  },
})
