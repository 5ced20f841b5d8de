// A process of its own, since a process runs its Solidity tests on one processor. Takes files and gives verdicts as messages.
import { createHardhatRuntimeEnvironment } from 'hardhat/hre'
import config from '../../hardhat.config.ts'
import { type PropertyFile, root, sentenceOf } from './properties.ts'
import type { Verdict } from './verdict.ts'

export type Task = PropertyFile & { readonly runs: number; readonly seed: string }

process.on('message', async (task: Task) => process.send?.(await judge(task)))
process.once('disconnect', () => process.exit())

async function judge({ file, names, runs, seed }: Task): Promise<readonly Verdict[]> {
  const hre = await createHardhatRuntimeEnvironment(
    { ...config, test: { solidity: { profiles: { default: {}, deep: { fuzz: { runs, seed } } } } } },
    {},
    root,
  )
  const result = await hre.tasks
    .getTask(['test', 'solidity'])
    .run({ noCompile: true, testFiles: [file], testProfile: 'deep', grep: `^(${names.join('|')})\\(` })
  const { suiteResults }: Outcome = result.success ? result.value : result.error
  return suiteResults.flatMap(({ testResults }) =>
    testResults.map((test): Verdict => {
      const done = Number(test.kind.runs ?? 0)
      return {
        property: sentenceOf(file, test.name),
        runs: done,
        seconds: Number(test.durationNs) / 1e9,
        fault: test.status === 'Success' ? (done < runs ? `Only ${done} runs.` : undefined) : faultOf(test),
      }
    }),
  )
}

type Test = {
  readonly name: string
  readonly status: string
  readonly reason: string | undefined
  readonly durationNs: bigint
  readonly kind: { readonly runs?: bigint }
  readonly counterexample: { readonly args?: string; readonly calldata?: Uint8Array } | undefined
}
type Outcome = { readonly suiteResults: readonly { readonly testResults: readonly Test[] }[] }

function faultOf({ name, reason, counterexample }: Test): string {
  const calldata = Buffer.from(counterexample?.calldata ?? []).toString('hex')
  return `${reason ?? 'reverted'}\narguments of ${name}: ${counterexample?.args ?? ''}\ncalldata: 0x${calldata}`
}
