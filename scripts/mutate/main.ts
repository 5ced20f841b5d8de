// `npm run mutate:contracts`: changes the contracts in one place at a time, and sees whether a test notices.
import hre from 'hardhat'
import { workOff } from '../crew/crew.ts'
import { readExplanations } from './explanations.ts'
import { findingMutants } from './findings.ts'
import { type Mutant, mutantsOf } from './mutant.ts'
import { type Options, parseOptions, usage } from './options.ts'
import { isGood, line, type Result, scoreOf, survivors, table, verdict } from './report.ts'
import { sample } from './sample.ts'
import { mutableFiles, readSource, testFiles } from './sources.ts'
import type { Answer, Task } from './worker.ts'

/** Twenty times what others take: this one runs in circles. */
const MUTANT_SECONDS_MAX = 180

const options = parseOptions(process.argv.slice(2))
if (options === 'help') console.log(usage)
else process.exitCode = await run(options)

async function run(options: Options): Promise<number> {
  const say = (text: string): void => (options.isJson ? undefined : console.log(text))
  await hre.tasks.getTask('build').run({ quiet: true })
  const all = mutantsOf(Object.fromEntries(mutableFiles.map((file) => [file, readSource(file)])))
  const chosen = [...findingMutants(), ...sample(all, options)].filter(({ id }) => id.includes(options.only))
  say(`${chosen.length} of ${all.length} mutants, seed ${options.seed}. First the contracts as they are.`)

  const results = await judgeAll(chosen, (result, place) =>
    options.isJson ? console.log(JSON.stringify(result)) : say(line(result, place, chosen.length)),
  )
  const score = scoreOf(results)
  say(`\n${table(results)}\n\n${survivors(results)}\n`)
  console.log(options.isJson ? JSON.stringify({ seed: options.seed, ...score }) : verdict(score))
  return isGood(score) ? 0 : 1
}

async function judgeAll(
  mutants: readonly Mutant[],
  onResult: (result: Result, place: number) => void,
): Promise<readonly Result[]> {
  const explanations = readExplanations()
  const kills = new Map<string, number>()
  const results: Result[] = []
  await workOff<Mutant, Task, Answer>({
    script: new URL('./worker.ts', import.meta.url),
    items: mutants,
    taskOf: (mutant) => ({ mutant, testFiles: likeliestFirst(mutant.file, kills) }),
    taskSecondsMax: MUTANT_SECONDS_MAX,
    onAnswer: (mutant, answer, seconds) => {
      const done = answer ?? { outcome: 'killed', by: 'the time it took' }
      if (done.outcome === 'killed')
        kills.set(`${mutant.file} ${done.by}`, 1 + (kills.get(`${mutant.file} ${done.by}`) ?? 0))
      results.push({ ...done, seconds, mutant, explanation: explanations.get(mutant.id) })
      onResult({ ...done, seconds, mutant, explanation: explanations.get(mutant.id) }, results.length)
    },
  })
  return results
}

/** What killed a mutant of the same file before is asked first; what takes seconds last. */
function likeliestFirst(file: string, kills: ReadonlyMap<string, number>): readonly string[] {
  const slow = /Invariants|AccountWord/
  const rank = (test: string): number => (kills.get(`${file} ${test}`) ?? 0) - (slow.test(test) ? 0.5 : 0)
  return testFiles.toSorted((a, b) => rank(b) - rank(a))
}
