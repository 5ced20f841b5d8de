import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHardhatRuntimeEnvironment } from 'hardhat/hre'
import config from '../../hardhat.config.ts'
import type { Compiled } from './compiler.ts'
import { root } from './sources.ts'

/** The build's artifacts in a folder of our own, where code may be replaced before the tests run. */
export type Stage = {
  put(compiled: Compiled): Promise<void>
  /** Whether all tests of the file pass. */
  passes(testFile: string): Promise<boolean>
  close(): Promise<void>
}

export async function openStage(): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'mutate-'))
  const artifacts = join(folder, 'artifacts')
  const built = join(root, 'artifacts')
  // Build infos serve stack traces only, and are large.
  await cp(built, artifacts, { recursive: true, filter: (path) => !path.startsWith(join(built, 'build-info')) })
  const hre = await createHardhatRuntimeEnvironment(
    {
      ...config,
      paths: { sources: 'contracts', tests: { solidity: 'test/contracts' }, artifacts, cache: join(folder, 'cache') },
    },
    {},
    root,
  )
  return {
    async put(compiled) {
      for (const [file, contracts] of Object.entries(compiled)) {
        for (const [name, bytecode] of Object.entries(contracts)) {
          const path = join(artifacts, file, `${name}.json`)
          await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), bytecode }))
        }
      }
    },
    async passes(testFile) {
      const { success } = await hre.tasks
        .getTask(['test', 'solidity'])
        .run({ noCompile: true, testFiles: [testFile], testProfile: 'mutation' })
      return success
    },
    close: () => rm(folder, { recursive: true, force: true }),
  }
}
