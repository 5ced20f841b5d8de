import type { Edit, Kind } from './edit.ts'
import { solidityEdits } from './solidity-edits.ts'
import { type Place, parse, walk } from './syntax.ts'
import { yulEdits } from './yul-edits.ts'

export type Mutant = Place & {
  /** The file and its line with the change in it: the same as long as the line stays as it is. */
  readonly id: string
  readonly file: string
  readonly line: number
  readonly kind: Kind
  readonly after: string
}

/** Every mutant of the files, in the order of the text. */
export function mutantsOf(files: Readonly<Record<string, string>>): readonly Mutant[] {
  return Object.entries(parse(files)).flatMap(([file, tree]) => {
    const source = Buffer.from(files[file] ?? '')
    const text = ({ start, end }: Place): string => source.subarray(start, end).toString()
    const edits: Edit[] = []
    for (const { node, around } of walk(tree)) edits.push(...solidityEdits(node, around, text), ...yulEdits(node, text))
    const seen = new Map<string, number>()
    return edits
      .filter((edit) => text(edit) !== edit.after)
      .toSorted((a, b) => a.start - b.start || a.end - b.end)
      .map((edit): Mutant => {
        const shown = `${file} | ${show(source, edit)}`
        const count = (seen.get(shown) ?? 0) + 1
        seen.set(shown, count)
        return {
          id: count === 1 ? shown : `${shown} #${count}`,
          file,
          line: lineOf(source, edit.start),
          kind: edit.kind,
          start: edit.start,
          end: edit.end,
          after: edit.after,
        }
      })
  })
}

/** @param source Of the mutant's file */
export function applied(mutant: Mutant, source: string): string {
  const bytes = Buffer.from(source)
  return `${bytes.subarray(0, mutant.start)}${mutant.after}${bytes.subarray(mutant.end)}`
}

function lineOf(source: Buffer, offset: number): number {
  return source.subarray(0, offset).toString().split('\n').length
}

/** The line, with what is replaced and its replacement between brackets; of what spans lines the first one. */
function show(source: Buffer, { start, end, after }: Edit): string {
  const lineStart = source.lastIndexOf('\n', start - 1) + 1
  const found = source.indexOf('\n', end)
  const lineEnd = found < 0 ? source.length : found
  const before = source.subarray(start, end).toString()
  const [first = '', ...more] = before.split('\n')
  const head = source.subarray(lineStart, start).toString()
  const tail = more.length > 0 ? '' : source.subarray(end, lineEnd).toString()
  return `${head}⟦${more.length > 0 ? `${first.trimEnd()} …` : first} → ${after.split('\n').join(' ')}⟧${tail}`.trim()
}
