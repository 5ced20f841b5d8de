import type { Edit } from './edit.ts'
import { literalEdits } from './literal-edits.ts'
import { isNode, type Place, placeOf, type SyntaxNode, walk } from './syntax.ts'

type Text = (place: Place) => string
type Call = (name: string, ...args: readonly string[]) => string

const call: Call = (name, ...args) => `${name}(${args.join(', ')})`

/** What each instruction becomes. */
const others: Readonly<Record<string, (...args: readonly string[]) => readonly string[]>> = {
  add: (a = '', b = '') => [call('sub', a, b)],
  sub: (a = '', b = '') => [call('add', a, b), call('sub', b, a)],
  mul: (a = '', b = '') => [call('div', a, b), call('add', a, b)],
  div: (a = '', b = '') => [call('mul', a, b)],
  and: (a = '', b = '') => [call('or', a, b), a, b],
  or: (a = '', b = '') => [call('and', a, b), a, b],
  xor: (a = '', b = '') => [call('and', a, b)],
  not: (a = '') => [a],
  iszero: (a = '') => [a],
  lt: (a = '', b = '') => [call('iszero', call('gt', a, b)), call('gt', a, b)],
  gt: (a = '', b = '') => [call('iszero', call('lt', a, b)), call('lt', a, b)],
  eq: (a = '', b = '') => [call('iszero', call('eq', a, b)), '1'],
  shl: (a = '', b = '') => [call('shr', a, b)],
  shr: (a = '', b = '') => [call('shl', a, b)],
  mstore8: (a = '', b = '') => [call('mstore', a, b)],
  timestamp: () => ['0'],
  returndatasize: () => ['0', '0x20'],
  calldatasize: () => ['0'],
  call: () => ['1'],
  staticcall: () => ['1'],
}
const comparisons = new Set(['lt', 'gt', 'eq'])

/** What can be changed at one node of Yul. */
export function yulEdits(node: SyntaxNode, text: Text): readonly Edit[] {
  const place = placeOf(node)
  switch (node.nodeType) {
    case 'YulFunctionCall': {
      const name = nameOf(node)
      const args = nodes(node.arguments).map((argument) => text(placeOf(argument)))
      const kind = comparisons.has(name) ? 'comparison' : 'opcode'
      return (others[name]?.(...args) ?? []).map((after) => ({ ...place, kind, after }))
    }
    case 'YulLiteral':
      return literalEdits(node, text)
    case 'YulIf': {
      if (!isNode(node.condition)) return []
      const condition = placeOf(node.condition)
      if (isGuard(node)) return [{ ...condition, kind: 'guard', after: '0' }]
      return ['1', '0'].map((after) => ({ ...condition, kind: 'condition', after }))
    }
    case 'YulExpressionStatement':
    case 'YulAssignment':
    case 'YulContinue':
    case 'YulBreak':
      return [{ ...place, kind: 'statement', after: '' }]
    default:
      return []
  }
}

function isGuard(node: SyntaxNode): boolean {
  return [...walk(node)].some(
    ({ node: inner }) => inner.nodeType === 'YulFunctionCall' && ['revert', 'fault'].includes(nameOf(inner)),
  )
}

function nameOf(node: SyntaxNode): string {
  return isNode(node.functionName) ? `${node.functionName.name}` : ''
}

function nodes(value: unknown): readonly SyntaxNode[] {
  return Array.isArray(value) ? value.filter(isNode) : []
}
