import { z } from '@hono/zod-openapi'

const limitMax = 100
const limitDefault = 20
/** Longer than any cursor of ours. */
const cursorCharactersMax = 200

/** What every list takes. A cursor comes from `nextCursor` of the page before; what is no cursor of ours finds nothing. */
export const pageQuery = {
  cursor: z
    .string()
    .min(1)
    .max(cursorCharactersMax)
    .optional()
    .meta({ description: '`nextCursor` of the page before' }),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(limitMax)
    .default(limitDefault)
    .meta({ description: `Items per page, at most ${limitMax}`, example: limitDefault }),
} as const

/** One page of a list: newest first; `nextCursor` is null on the last. */
export function pageOf<Item extends z.ZodType>(id: string, item: Item) {
  return z
    .object({
      items: z.array(item),
      nextCursor: z
        .string()
        .nullable()
        .meta({ description: 'Send it as `cursor` for the next page; null: this is the last' }),
    })
    .meta({ id })
}
