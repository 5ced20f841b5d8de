import type { Edit } from './edit.ts'
import { literalEdits } from './literal-edits.ts'
import { isNode, type Place, placeOf, type SyntaxNode, walk } from './syntax.ts'

type Text = (place: Place) => string

const swaps: Readonly<Record<string, readonly string[]>> = {
  ...{ '<': ['<=', '>='], '<=': ['<', '>'], '>': ['>=', '<='], '>=': ['>', '<'], '==': ['!='], '!=': ['=='] },
  ...{ '+': ['-'], '-': ['+'], '*': ['/'], '/': ['*'], '%': ['*'], '&': ['|'], '|': ['&'], '<<': ['>>'], '>>': ['<<'] },
  ...{ '&&': ['||'], '||': ['&&'], '+=': ['-='], '-=': ['+='], '*=': ['/='], '|=': ['&='] },
}
const comparisons = new Set(['<', '<=', '>', '>=', '==', '!='])
const guards = new Set(['nonReentrant', 'onlyOwner', 'onlyGuardian', 'onlyKnown', 'whenRunning'])

/** What can be changed at one node of Solidity. */
export function solidityEdits(node: SyntaxNode, around: readonly SyntaxNode[], text: Text): readonly Edit[] {
  const replaced = (place: Place, kind: Edit['kind'], ...afters: readonly string[]): readonly Edit[] =>
    afters.map((after) => ({ ...place, kind, after }))
  switch (node.nodeType) {
    case 'BinaryOperation':
      return binaryEdits(node, text, replaced)
    case 'Assignment': {
      const place = between(child(node, 'leftHandSide'), child(node, 'rightHandSide'), `${node.operator}`, text)
      return replaced(place, 'arithmetic', ...(swaps[`${node.operator}`] ?? []))
    }
    case 'UnaryOperation':
      return unaryEdits(node, text, replaced)
    case 'IfStatement': {
      const condition = placeOf(child(node, 'condition'))
      if (isGuard(node)) return [{ ...condition, kind: 'guard', after: 'false' }]
      return replaced(condition, 'condition', 'true', 'false')
    }
    case 'Conditional':
      return replaced(placeOf(child(node, 'condition')), 'condition', 'true', 'false')
    case 'ModifierInvocation': {
      const name = child(node, 'modifierName').name
      return guards.has(`${name}`) ? [{ ...placeOf(node), kind: 'guard', after: '' }] : []
    }
    case 'Literal':
      return literalEdits(node, text)
    case 'FunctionCall':
      return narrowed(node, text, replaced)
    case 'ExpressionStatement':
    case 'EmitStatement':
    case 'Continue':
      // The head of a loop is no statement of its own.
      if (around.at(-1)?.nodeType === 'ForStatement' && around.at(-1)?.loopExpression === node) return []
      return removed(node, text, replaced)
    default:
      return []
  }
}

type Replaced = (place: Place, kind: Edit['kind'], ...afters: readonly string[]) => readonly Edit[]

function binaryEdits(node: SyntaxNode, text: Text, replaced: Replaced): readonly Edit[] {
  const [left, right, operator] = [child(node, 'leftExpression'), child(node, 'rightExpression'), `${node.operator}`]
  const isLogical = operator === '&&' || operator === '||'
  const kind = comparisons.has(operator) ? 'comparison' : isLogical ? 'condition' : 'arithmetic'
  const swapped = replaced(between(left, right, operator, text), kind, ...(swaps[operator] ?? []))
  if (!isLogical) return swapped
  const neutral = operator === '&&' ? 'true' : 'false'
  return [...swapped, ...[left, right].flatMap((side) => replaced(placeOf(side), 'condition', neutral))]
}

function unaryEdits(node: SyntaxNode, text: Text, replaced: Replaced): readonly Edit[] {
  const inner = text(placeOf(child(node, 'subExpression')))
  if (node.operator === '!') return replaced(placeOf(node), 'condition', inner)
  if (node.operator === '~') return replaced(placeOf(node), 'arithmetic', inner)
  if (node.operator === '++') return replaced(placeOf(node), 'arithmetic', node.prefix ? `--${inner}` : `${inner}--`)
  return []
}

/** `uint48(x)` keeps a byte less. */
function narrowed(node: SyntaxNode, text: Text, replaced: Replaced): readonly Edit[] {
  const type = child(node, 'expression')
  const bits = /^uint(\d+)$/.exec(text(placeOf(type)))?.[1]
  // An address is made of 160 bits and nothing else, and of 256 nothing is lost.
  if (bits === undefined || Number(bits) < 16 || bits === '160' || bits === '256') return []
  return replaced(placeOf(type), 'constant', `uint${Number(bits) - 8}`)
}

function removed(node: SyntaxNode, text: Text, replaced: Replaced): readonly Edit[] {
  const { start, end } = placeOf(node)
  const semicolon = text({ start: end, end: end + 1 }) === ';' ? 1 : 0
  return replaced({ start, end: end + semicolon }, 'statement', '{}')
}

/** Where `operator` stands between two operands. */
function between(left: SyntaxNode, right: SyntaxNode, operator: string, text: Text): Place {
  const gap = { start: placeOf(left).end, end: placeOf(right).start }
  const start = gap.start + text(gap).indexOf(operator)
  return { start, end: start + operator.length }
}

function isGuard(node: SyntaxNode): boolean {
  const body = node.trueBody
  return isNode(body) && [...walk(body)].some((inner) => inner.node.nodeType === 'RevertStatement')
}

function child(node: SyntaxNode, name: string): SyntaxNode {
  const value = node[name]
  if (!isNode(value)) throw new Error(`A ${node.nodeType} of solc has no ${name} any more.`)
  return value
}
