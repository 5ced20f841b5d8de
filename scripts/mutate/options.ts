import { parseArgs } from 'node:util'

export type Options = {
  readonly seed: number
  readonly count: number
  /** Only mutants whose id holds this. */
  readonly only: string
  /** JSON lines instead of text: one per mutant, then one of the whole. */
  readonly isJson: boolean
}

export const usage = `npm run mutate:contracts -- [options]

  --seed <n>     which mutants are taken; the same ones for the same number (default 1)
  --count <n>    how many, besides those of the ten findings; never fewer than there are guards (default 300)
  --only <text>  of these, only such whose file or line holds the text
  --json         a JSON line per mutant and one at the end
  --help

Ends with 1 if fewer than 90 % are killed, or if one that survives has no explanation in scripts/mutate/explanations.json.`

/** @throws TypeError for an option that does not exist, RangeError for a number that is none */
export function parseOptions(args: readonly string[]): Options | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string', default: '1' },
      count: { type: 'string', default: '300' },
      only: { type: 'string', default: '' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  return {
    seed: whole('seed', values.seed),
    count: whole('count', values.count),
    only: values.only,
    isJson: values.json,
  }
}

function whole(name: string, text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0)
    throw new RangeError(`--${name} takes a whole number, not "${text}".`)
  return number
}
