import { z } from '@hono/zod-openapi'
import { RelayError } from '../../core/errors.ts'

const limitMax = 100
const limitDefault = 50
const cursorCharactersMax = 256

/** How every list is read page by page: until `nextCursor` is null. */
export const pageQuery = {
  limit: z
    .string()
    .regex(/^[1-9][0-9]{0,2}$/, `a number from 1 to ${limitMax}`)
    .transform(Number)
    .refine((limit) => limit <= limitMax, `at most ${limitMax}`)
    .default(limitDefault)
    .meta({ description: `Items per page, at most ${limitMax}`, example: `${limitDefault}` }),
  cursor: z
    .string()
    .max(cursorCharactersMax)
    .optional()
    .meta({ description: '`nextCursor` of the page before; means nothing by itself', example: 'd2RfMDFrOXYzbTA' }),
} as const

export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({
    items: z.array(item),
    nextCursor: z.string().nullable().meta({ description: 'Null on the last page', example: null }),
  })

/** One more than fits was asked for: whether it came tells whether there is a next page. */
export function showPage<Item, Shown>(
  found: readonly Item[],
  limit: number,
  { show, positionOf }: { show: (item: Item) => Shown; positionOf: (item: Item) => string },
): { items: Shown[]; nextCursor: string | null } {
  const items = found.slice(0, limit)
  const last = items.at(-1)
  const hasMore = found.length > limit && last !== undefined
  return {
    items: items.map(show),
    nextCursor: hasMore ? Buffer.from(positionOf(last)).toString('base64url') : null,
  }
}

/** @throws RelayError `invalid_request` for what no page of ours has handed out. */
export function readCursor(cursor: string | undefined, pattern: RegExp): string | undefined {
  if (cursor === undefined) return undefined
  const position = Buffer.from(cursor, 'base64url').toString()
  if (pattern.test(position)) return position
  const message = 'not a nextCursor of this list'
  throw new RelayError('invalid_request', `cursor: ${message}`, { fields: { errors: [{ path: 'cursor', message }] } })
}
