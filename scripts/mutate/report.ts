import type { Mutant } from './mutant.ts'
import type { Answer } from './worker.ts'

export type Result = Answer & {
  readonly mutant: Mutant
  readonly seconds: number
  readonly explanation: string | undefined
}

export type Score = {
  /** Compiled, and not explained. */
  readonly counted: number
  readonly killed: number
  readonly unexplained: number
  readonly percent: number
}

/** In percent of all that compiled, explained or not. */
const SCORE_MIN = 90

export function scoreOf(results: readonly Result[]): Score {
  const compiled = results.filter(({ outcome }) => outcome !== 'did not compile')
  const killed = compiled.filter(({ outcome }) => outcome === 'killed').length
  const unexplained = compiled.filter(({ outcome, explanation }) => outcome === 'survived' && !explanation).length
  const percent = compiled.length === 0 ? 100 : (100 * killed) / compiled.length
  return { counted: compiled.length, killed, unexplained, percent }
}

export function isGood(score: Score): boolean {
  return score.percent >= SCORE_MIN && score.unexplained === 0
}

/** One mutant, as it is done. */
export function line(result: Result, place: number, total: number): string {
  const { mutant, outcome, seconds } = result
  const number = `${place}`.padStart(`${total}`.length)
  const said = outcome === 'killed' ? `killed by ${result.by.replace('test/contracts/', '')}` : outcome
  return `[${number}/${total}] ${said} in ${seconds.toFixed(1)} s: ${mutant.id.replace(' | ', `:${mutant.line} `)}`
}

/** Per file: how many there were, and what became of them. */
export function table(results: readonly Result[]): string {
  const files = [...new Set(results.map(({ mutant }) => mutant.file))].toSorted()
  const rows = [
    ...files.map((file) =>
      row(
        file,
        results.filter(({ mutant }) => mutant.file === file),
      ),
    ),
    row('all', results),
  ]
  const head = ['file', 'mutants', 'killed', 'survived', 'explained', 'did not compile']
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((cells) => cells[column]?.length ?? 0)))
  const text = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
  return [text(head), ...rows.map(text)].join('\n')
}

function row(name: string, results: readonly Result[]): readonly string[] {
  const count = (outcome: Answer['outcome']): number => results.filter((result) => result.outcome === outcome).length
  const explained = results.filter(({ outcome, explanation }) => outcome === 'survived' && explanation).length
  const numbers = [results.length, count('killed'), count('survived'), explained, count('did not compile')]
  return [name, ...numbers.map(String)]
}

/** What survived: to be killed by a test, or explained. */
export function survivors(results: readonly Result[]): string {
  const survived = results.filter(({ outcome }) => outcome === 'survived')
  return survived.map(({ mutant, explanation }) => `${mutant.id}\n    ${explanation ?? 'not explained'}`).join('\n')
}

export function verdict(score: Score): string {
  const said = `${score.killed} of ${score.counted} mutants that compile are killed: ${score.percent.toFixed(1)} %.`
  return `${said} ${score.unexplained === 0 ? 'Every survivor is explained.' : `${score.unexplained} survivors are not explained.`}`
}
