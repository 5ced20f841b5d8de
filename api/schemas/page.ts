import { z } from '@hono/zod-openapi'
import type { Page, PageRequest } from '../../core/ports/page.ts'
import { sealedCharactersMax } from '../cursors.ts'
import { isTypeId } from '../type-id.ts'
import { example } from './example.ts'

const limitMax = 100
const limitDefault = 20
/** Changes when a cursor would mean something else. */
const cursorVersion = 1

const instantSchema = (text: string) =>
  z.iso
    .datetime({ offset: true, error: 'a time in ISO 8601, as 2026-11-23T09:30:00Z' })
    .transform((iso) => Date.parse(iso))
    .meta({ description: text, example: example.time })

export const limitField = z.coerce
  .number()
  .int()
  .min(1)
  .max(limitMax)
  .default(limitDefault)
  .meta({ description: `Items at most, 1 to ${limitMax}`, example: limitDefault })

/** A cursor is opaque to clients: inside, it is the position after which the list goes on. @param isPosition of this list */
export const cursorField = (isPosition: (text: string) => boolean) =>
  z
    .string()
    .transform((text, context): string => {
      const [version, position = ''] = Buffer.from(text, 'base64url').toString('latin1').split('.')
      if (version === `${cursorVersion}` && isPosition(position) && cursorOf(position) === text) return position
      context.addIssue({ code: 'custom', message: 'not a nextCursor of this list' })
      return z.NEVER
    })
    .optional()
    .meta({ description: '`nextCursor` of the page before; the same filters go with it' })

/** A cursor that only its maker can read, see `api/cursors.ts`; it is opened with the app at hand. */
export const sealedCursorField = z
  .string()
  .max(sealedCharactersMax)
  .optional()
  .meta({ description: '`nextCursor` of the page before; the same filters go with it' })

/** Query fields of a list by time. Its positions are ids; their prefix says to which list a cursor belongs. */
export const pageFields = (prefix: string) => ({
  limit: limitField,
  cursor: cursorField((text) => isTypeId(prefix, text)),
  createdFrom: instantSchema('Stored at this time or later, ISO 8601').optional(),
  createdTo: instantSchema('Stored before this time, ISO 8601').optional(),
})

type PageQuery = {
  readonly limit: number
  readonly cursor?: string | undefined
  readonly createdFrom?: number | undefined
  readonly createdTo?: number | undefined
}

/** For a schema of `pageFields` and a list's own filters. */
export const isForwardInTime = {
  check: ({ createdFrom, createdTo }: PageQuery) =>
    createdFrom === undefined || createdTo === undefined || createdFrom <= createdTo,
  fault: { path: ['createdTo'], error: 'is before createdFrom' },
}

export function pageRequestOf({ limit, cursor, createdFrom, createdTo }: PageQuery): PageRequest {
  return { limit, after: cursor, createdFromMillis: createdFrom, createdToMillis: createdTo }
}

export const pageSchema = <Item extends z.ZodType>(item: Item) =>
  z.object({
    items: z.array(item),
    nextCursor: z
      .string()
      .nullable()
      .meta({
        description:
          'Ask for the rest with it; null at the end. A page may have fewer items than asked for, even none, and still have a next one',
        example: cursorOf(example.intentId),
      }),
  })

/** A page of what was asked for with one more than fits: whether it came tells whether there is a next page. */
export function pageOf<Item>(found: readonly Item[], limit: number, positionOf: (item: Item) => string): Page<Item> {
  const items = found.slice(0, limit)
  const last = items.at(-1)
  return { items, next: found.length > limit && last !== undefined ? positionOf(last) : undefined }
}

/** @param write how the position stands in the cursor; sealed, if it may be a secret */
export function showPage<Record, View>(
  { items, next }: Page<Record>,
  show: (record: Record) => View,
  write: (position: string) => string = cursorOf,
): { items: View[]; nextCursor: string | null } {
  return { items: items.map(show), nextCursor: next === undefined ? null : write(next) }
}

function cursorOf(position: string): string {
  return Buffer.from(`${cursorVersion}.${position}`, 'latin1').toString('base64url')
}
