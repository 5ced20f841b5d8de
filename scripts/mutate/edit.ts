import type { Place } from './syntax.ts'

/**
 * What a mutant changes. `guard`: a condition before a revert, or a modifier, is gone; `condition`: another condition, or a
 * part of one, is decided; `finding`: one of findings.ts; the others replace what their names say.
 */
export type Kind = 'finding' | 'guard' | 'condition' | 'comparison' | 'arithmetic' | 'constant' | 'opcode' | 'statement'

/** One change of the source. */
export type Edit = Place & { readonly kind: Kind; readonly after: string }
