import { type Address, checksumAddress, type Hex } from 'viem'
import { z } from 'zod'
import { type Mode, means, modes, type Taking } from './taking.ts'
import type { Payment } from './typed-data.ts'

/** 20 bytes in hex. All lower or all upper case carries no checksum; mixed case must be EIP-55. Comes out as EIP-55. */
export const addressSchema = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, '20 bytes in hex, with 0x')
  .transform((text, context): Address => {
    const checksummed = checksumAddress(text.toLowerCase() as Address)
    const digits = text.slice(2)
    const hasChecksum = digits !== digits.toLowerCase() && digits !== digits.toUpperCase()
    if (!hasChecksum || text === checksummed) return checksummed
    context.addIssue({ code: 'custom', message: 'wrong EIP-55 checksum', params: { code: 'address_checksum_invalid' } })
    return z.NEVER
  })

export const hexSchema = (bytes: number) =>
  z
    .string()
    .regex(new RegExp(`^0x[0-9a-fA-F]{${bytes * 2}}$`), `${bytes} bytes in hex, with 0x`)
    .transform((text) => text.toLowerCase() as Hex)

/** Names an app in HTTP Basic, so without a colon (RFC 7617 §2); visible ASCII, so that it reads the same everywhere. */
export const appIdPattern = /^[\x21-\x39\x3b-\x7e]{1,128}$/

/**
 * Free text, in UTF-16 code units. U+0000 and half of a surrogate pair are refused: Postgres cannot store the one, and
 * UTF-8 cannot write the other, so what is kept would not be what was sent.
 */
export const textSchema = ({ charactersMin, charactersMax }: { charactersMin: number; charactersMax: number }) =>
  z
    .string()
    .min(charactersMin)
    .max(charactersMax)
    .refine((text) => text.isWellFormed() && !text.includes('\u0000'), 'text without U+0000 and unpaired surrogates')

/** A decimal string of an unsigned integer, 0 to 2²⁵⁶ − 1: no exponent, sign, space, comma, point or leading zero. */
export const uintSchema = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,77})$/, 'a decimal string: no exponent, sign, space, comma, point or leading zero')
  .transform((text) => BigInt(text))
  .refine((value) => value < 2n ** 256n, 'at most 2^256 - 1')

/** 65 bytes (r ‖ s ‖ v) or 64 (EIP-2098); canonical form is checked when it is parsed. */
export const signatureSchema = z
  .string()
  .regex(/^0x([0-9a-fA-F]{2}){1,256}$/, 'bytes in hex, with 0x')
  .transform((text) => text.toLowerCase() as Hex)

export const chainIdSchema = z.int().positive()

/** What a payer signed, with the contract it was signed for. Which of the optional fields are there, `missingOf` tells by the mode. */
export const intentSchema = z.strictObject({
  chainId: chainIdSchema,
  contract: addressSchema,
  mode: z.enum(modes).default('independent'),
  payer: addressSchema,
  payee: addressSchema,
  token: addressSchema,
  amount: uintSchema,
  nonce: uintSchema.optional(),
  sequence: uintSchema.optional(),
  previous: hexSchema(16).optional(),
  means: z.enum(means).optional(),
  deadline: uintSchema,
  orderRef: hexSchema(8),
})
export type SignedIntent = z.output<typeof intentSchema>

const fieldsOf = {
  independent: ['nonce'],
  chained: ['sequence', 'previous'],
  pull: ['nonce', 'means'],
} as const satisfies Record<Mode, readonly (keyof SignedIntent)[]>
const fieldsOfSome = ['nonce', 'sequence', 'previous', 'means'] as const

/** Fields that an intent of this mode lacks, and those that it must not have. */
export function misfits(intent: Pick<SignedIntent, 'mode' | (typeof fieldsOfSome)[number]>): readonly {
  readonly field: (typeof fieldsOfSome)[number]
  readonly message: string
}[] {
  const wanted: readonly string[] = fieldsOf[intent.mode]
  return fieldsOfSome.flatMap((field) => {
    const isWanted = wanted.includes(field)
    if (isWanted === (intent[field] !== undefined)) return []
    const message = isWanted ? `required for mode ${intent.mode}` : `not for mode ${intent.mode}`
    return [{ field, message }]
  })
}

/** The payment of an intent without misfits, and how its money is taken. @throws RangeError for any other */
export function signedTerms(intent: SignedIntent): { readonly payment: Payment; readonly taking: Taking } {
  const { mode, payer, payee, token, amount, deadline, orderRef, previous, means: by } = intent
  const terms = { payer, payee, token, amount, deadline, orderRef }
  const nonce = mode === 'chained' ? intent.sequence : intent.nonce
  if (nonce !== undefined && misfits(intent).length === 0) {
    const payment = { ...terms, nonce }
    if (mode === 'independent') return { payment, taking: { mode } }
    if (mode === 'chained' && previous !== undefined) return { payment, taking: { mode, previous } }
    if (mode === 'pull' && by !== undefined) return { payment, taking: { mode, means: by } }
  }
  throw new RangeError(`an intent of mode ${mode} that was not checked`)
}
