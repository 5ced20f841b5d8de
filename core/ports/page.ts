/** Which part of a list is wanted; lists are newest first. */
export type PageRequest = {
  readonly limit: number
  /** What the page before named as `next`; undefined: from the newest. Any id of the right kind does no harm. */
  readonly after: string | undefined
  /** By the time at which it was stored; inclusive. */
  readonly createdFromMillis: number | undefined
  /** Exclusive. */
  readonly createdToMillis: number | undefined
}

/**
 * A page may be shorter than asked, even empty, and yet not be the last: reading stops at bounds of its own. Going on
 * from `next` shows each item that was there at the first page once. At the end, `next` is undefined.
 */
export type Page<Item> = { readonly items: readonly Item[]; readonly next: string | undefined }
