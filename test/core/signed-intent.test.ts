import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { intentSchema, misfits, type SignedIntent, signedTerms } from '../../core/protocol/schema.ts'
import { modes } from '../../core/protocol/taking.ts'
import { payment, vault } from './payments.ts'

const { nonce, ...terms } = payment
const common = { chainId: 31_337, contract: vault, ...terms }
const previous = `0x${'ee'.repeat(16)}` as const
const whole = {
  independent: { ...common, mode: 'independent', nonce },
  chained: { ...common, mode: 'chained', sequence: 8n, previous },
  pull: { ...common, mode: 'pull', nonce, means: 'authorization' },
} as const satisfies Record<string, SignedIntent>
const needs = { independent: ['nonce'], chained: ['sequence', 'previous'], pull: ['nonce', 'means'] } as const
const extra = { nonce: 1n, sequence: 1n, previous, means: 'allowance' } as const

describe('an intent', () => {
  test.each(modes)('of mode %s with all it needs has no misfits, and says how it is taken', (mode) => {
    const intent: SignedIntent = whole[mode]
    expect(misfits(intent)).toEqual([])
    expect(signedTerms(intent)).toEqual({
      payment: { ...terms, nonce: mode === 'chained' ? 8n : nonce },
      taking: {
        independent: { mode },
        chained: { mode, previous },
        pull: { mode, means: 'authorization' },
      }[mode],
    })
  })

  test.each(modes.flatMap((mode) => needs[mode].map((field) => [mode, field] as const)))(
    'of mode %s lacks its %s, and the mode is named',
    (mode, field) => {
      const intent: SignedIntent = { ...whole[mode], [field]: undefined }
      expect(misfits(intent)).toEqual([{ field, message: `required for mode ${mode}` }])
      expect(() => signedTerms(intent)).toThrow(RangeError)
    },
  )

  test('has just the fields of its mode, or every misfit is told once', () => {
    const present = fc.record({
      nonce: fc.boolean(),
      sequence: fc.boolean(),
      previous: fc.boolean(),
      means: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.constantFrom(...modes), present, (mode, has) => {
        const fields = Object.fromEntries(Object.entries(extra).filter(([name]) => has[name as keyof typeof has]))
        const intent: SignedIntent = { ...common, mode, ...fields }
        const wanted: readonly string[] = needs[mode]
        const wrong = Object.entries(has).filter(([name, isThere]) => isThere !== wanted.includes(name))
        expect(misfits(intent).map(({ field }) => field)).toEqual(wrong.map(([name]) => name))
        if (wrong.length > 0) expect(() => signedTerms(intent)).toThrow(`mode ${mode} that was not checked`)
        else expect(signedTerms(intent).taking.mode).toBe(mode)
      }),
    )
  })

  test('that names no mode is independent, as all were before there were modes', () => {
    const { mode: _, ...before } = whole.independent
    const json = { ...before, amount: `${before.amount}`, nonce: '5', deadline: `${before.deadline}` }
    expect(intentSchema.parse(json)).toEqual({ ...whole.independent, nonce: 5n })
    expect(intentSchema.safeParse({ ...json, mode: 'vault' }).success).toBe(false)
  })
})
