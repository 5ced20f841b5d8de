import { createRequire } from 'node:module'

/** A node of solc's syntax tree, of Solidity or of Yul. */
export type SyntaxNode = { readonly nodeType: string; readonly src: string } & Readonly<Record<string, unknown>>

export type Place = { readonly start: number; readonly end: number }

type Solc = { compile(input: string, callbacks?: object): string }
export const solc: Solc = createRequire(import.meta.url)('solc')

type ParserOutput = {
  readonly errors?: readonly { readonly severity: string; readonly formattedMessage: string }[]
  readonly sources: Readonly<Record<string, { readonly ast: SyntaxNode }>>
}

/** Parses without looking at imports, which takes milliseconds. */
export function parse(files: Readonly<Record<string, string>>): Readonly<Record<string, SyntaxNode>> {
  const input = {
    language: 'Solidity',
    sources: Object.fromEntries(Object.entries(files).map(([name, content]) => [name, { content }])),
    settings: { stopAfter: 'parsing', outputSelection: { '*': { '': ['ast'] } } },
  }
  const output: ParserOutput = JSON.parse(solc.compile(JSON.stringify(input)))
  const fault = output.errors?.find(({ severity }) => severity === 'error')
  if (fault !== undefined) throw new Error(`The contracts do not parse: ${fault.formattedMessage}`)
  return Object.fromEntries(Object.entries(output.sources).map(([name, { ast }]) => [name, ast]))
}

/** Byte offsets. */
export function placeOf(node: SyntaxNode): Place {
  const [start = 0, length = 0] = node.src.split(':').map(Number)
  return { start, end: start + length }
}

export function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'nodeType' in value && 'src' in value
}

/** All nodes in `node`, itself first, each with the nodes around it, outermost first. */
export function* walk(
  node: SyntaxNode,
  around: readonly SyntaxNode[] = [],
): Generator<{ readonly node: SyntaxNode; readonly around: readonly SyntaxNode[] }> {
  yield { node, around }
  const inner = [...around, node]
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) yield* walk(child, inner)
  }
}
