// `npm run fuzz`: every property of the contracts, ten thousand times each.
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import hre from 'hardhat'
import { workOff } from '../crew/crew.ts'
import { judgeEncoder } from './encoder.ts'
import { findProperties } from './properties.ts'
import { summary, tell, type Verdict } from './verdict.ts'
import type { Task } from './worker.ts'

const usage = `npm run fuzz -- [options]

  --runs <n>    of each property (default 10000)
  --seed <hex>  32 bytes; without one, another in every run
  --help

Ends with 1 if a property fails, and then says with which arguments.`

/** A property that needs longer never ends. */
const FILE_SECONDS_MAX = 3_600

const { values: flags } = parseArgs({
  options: { runs: { type: 'string', default: '10000' }, seed: { type: 'string' }, help: { type: 'boolean' } },
})
if (flags.help) console.log(usage)
else process.exitCode = await run(Number(flags.runs), flags.seed ?? `0x${randomBytes(32).toString('hex')}`)

async function run(runs: number, seed: string): Promise<number> {
  if (!Number.isSafeInteger(runs) || runs < 1) throw new RangeError(`--runs takes a whole number, not "${flags.runs}".`)
  if (!/^0x[0-9a-f]{64}$/.test(seed)) throw new RangeError(`--seed takes 0x and 64 hexadecimal digits, not "${seed}".`)
  const startedMillis = performance.now()
  await hre.tasks.getTask('build').run({ quiet: true })
  console.log(`The same again: npm run fuzz -- --runs ${runs} --seed ${seed}\n`)

  const verdicts: Verdict[] = []
  const add = (added: readonly Verdict[]): void => {
    for (const verdict of added) console.log(tell(verdict))
    verdicts.push(...added)
  }
  await workOff<ReturnType<typeof findProperties>[number], Task, readonly Verdict[]>({
    script: new URL('./worker.ts', import.meta.url),
    // The longest first, so that the end is not waiting for one of them.
    items: findProperties().toSorted((a, b) => rankOf(a.file) - rankOf(b.file)),
    taskOf: (properties) => ({ ...properties, runs, seed }),
    taskSecondsMax: FILE_SECONDS_MAX,
    onAnswer: ({ file, names }, answer, seconds) =>
      add(answer ?? names.map((property) => ({ property, runs: 0, seconds, fault: `${file} did not end in time.` }))),
  })
  add(await judgeEncoder({ runs, seed }))

  console.log(`\n${summary(verdicts, (performance.now() - startedMillis) / 1_000)}`)
  return verdicts.every(({ fault }) => fault === undefined) ? 0 : 1
}

function rankOf(file: string): number {
  return /Invariants|AccountWord/.test(file) ? 0 : 1
}
