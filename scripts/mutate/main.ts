// `npm run mutate:contracts`: changes the contracts in one place at a time, and sees whether a test notices.
import hre from 'hardhat'
import { openCrew } from './crew.ts'
import { readExplanations } from './explanations.ts'
import { findingMutants } from './findings.ts'
import { type Mutant, mutantsOf } from './mutant.ts'
import { type Options, parseOptions, usage } from './options.ts'
import { isGood, line, type Result, scoreOf, survivors, table, verdict } from './report.ts'
import { sample } from './sample.ts'
import { mutableFiles, readSource, testFiles } from './sources.ts'

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

/** Every worker takes the next mutant as soon as it is free. */
async function judgeAll(
  mutants: readonly Mutant[],
  onResult: (result: Result, place: number) => void,
): Promise<readonly Result[]> {
  const explanations = readExplanations()
  const kills = new Map<string, number>()
  const results: Result[] = []
  const waiting = [...mutants]
  const crew = openCrew()
  await Promise.all(
    Array.from({ length: crew.size }, async () => {
      const member = crew.open()
      try {
        const unchanged = await member.do({ testFiles })
        if (unchanged.outcome === 'killed') throw new Error(`${unchanged.by} fails on the contracts as they are.`)
        for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
          const { file } = mutant
          const done = await member.do({ mutant, testFiles: likeliestFirst(file, kills) })
          if (done.outcome === 'killed') kills.set(`${file} ${done.by}`, (kills.get(`${file} ${done.by}`) ?? 0) + 1)
          const result = { ...done, mutant, explanation: explanations.get(mutant.id) }
          results.push(result)
          onResult(result, results.length)
        }
      } finally {
        member.close()
      }
    }),
  )
  return results
}

/** What killed a mutant of the same file before is asked first; what takes seconds last. */
function likeliestFirst(file: string, kills: ReadonlyMap<string, number>): readonly string[] {
  const slow = /Invariants|Solvency|AccountWord/
  const rank = (test: string): number => (kills.get(`${file} ${test}`) ?? 0) - (slow.test(test) ? 0.5 : 0)
  return testFiles.toSorted((a, b) => rank(b) - rank(a))
}
