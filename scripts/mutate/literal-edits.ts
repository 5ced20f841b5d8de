import type { Edit } from './edit.ts'
import { type Place, placeOf, type SyntaxNode } from './syntax.ts'

/** Numbers become their neighbours, strings and bytes others of about the same length. For literals of Solidity and of Yul. */
export function literalEdits(node: SyntaxNode, text: (place: Place) => string): readonly Edit[] {
  const place = placeOf(node)
  const written = text(place)
  const replaced = (...afters: readonly string[]): readonly Edit[] =>
    afters.map((after) => ({ ...place, kind: 'constant', after }))
  if (written === 'true') return replaced('false')
  if (written === 'false') return replaced('true')
  if (written.startsWith('hex')) return replaced(written.replace(/.(?="$)/, (digit) => (digit === '0' ? '1' : '0')))
  if (/^["']/.test(written)) return replaced(`${written.slice(0, -1)}x${written.at(-1)}`)
  const [digits = ''] = /^(0x[0-9a-fA-F]+|[0-9_]+)/.exec(written) ?? []
  if (digits === '') return []
  const unit = written.slice(digits.length)
  return neighbours(digits).map((neighbour): Edit => ({ ...place, kind: 'constant', after: `${neighbour}${unit}` }))
}

function neighbours(digits: string): readonly string[] {
  const isHex = digits.startsWith('0x')
  const value = BigInt(digits.replaceAll('_', ''))
  return [value + 1n, value - 1n]
    .filter((neighbour) => neighbour >= 0n)
    .map((neighbour) => (isHex ? `0x${neighbour.toString(16).padStart(digits.length - 2, '0')}` : `${neighbour}`))
}
