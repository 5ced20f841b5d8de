import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './properties.ts'
import type { Verdict } from './verdict.ts'

const file = 'test/contracts/packed-fuzz.test.ts'

type Report = {
  readonly testResults: readonly {
    readonly message: string
    readonly assertionResults: readonly {
      readonly title: string
      readonly status: string
      readonly duration?: number
      readonly failureMessages: readonly string[]
    }[]
  }[]
}

/** The contracts against the TypeScript encoder, which only a test in TypeScript can call. */
export async function judgeEncoder({ runs, seed }: { runs: number; seed: string }): Promise<readonly Verdict[]> {
  const folder = await mkdtemp(join(tmpdir(), 'fuzz-'))
  const output = join(folder, 'report.json')
  const options = ['run', file, '--reporter=json', `--outputFile=${output}`]
  const child = spawn(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), ...options], {
    cwd: root,
    env: { ...process.env, NO_COLOR: '1', FUZZ_RUNS: `${runs}`, FUZZ_SEED: `${Number(BigInt(seed) & 0x7fffffffn)}` },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  await once(child, 'close')
  const report: Report = JSON.parse(await readFile(output, 'utf8'))
  await rm(folder, { recursive: true })
  const verdicts = report.testResults.flatMap(({ assertionResults }) =>
    assertionResults.map(({ title, status, duration = 0, failureMessages }): Verdict => {
      const fault = status === 'passed' ? undefined : failureMessages.join('\n')
      return { property: `encoder: ${title}`, runs, seconds: duration / 1_000, fault }
    }),
  )
  if (verdicts.length > 0) return verdicts
  const fault = report.testResults.map(({ message }) => message).join('\n') || 'It ran no test.'
  return [{ property: `encoder: ${file}`, runs: 0, seconds: 0, fault }]
}
