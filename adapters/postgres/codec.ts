import { fromUUID, toUUID, typeidUnboxed } from 'typeid-js'
import { type Address, checksumAddress, type Hex } from 'viem'

/**
 * Ids outside are TypeIDs (`pi_` and 26 characters), inside UUIDv7, which sort by time.
 * @see https://github.com/jetify-com/typeid
 */
export type IdPrefix = 'pi' | 'po' | 'sb' | 'at' | 'ak' | 'le' | 'ol' | 'ar' | 'rc' | 'br' | 'we' | 'wd'

export function newId(prefix: IdPrefix): string {
  return typeidUnboxed(prefix)
}

/** The id as a row holds it, or undefined if this is no id of that kind: then nothing can have it. */
export function uuidOf(prefix: IdPrefix, id: string): string | undefined {
  if (!new RegExp(`^${prefix}_[0-7][0-9a-hjkmnp-tv-z]{25}$`).test(id)) return undefined
  try {
    return toUUID(id as ReturnType<typeof typeidUnboxed>)
  } catch {
    // Its 128 bits are those of no UUID.
    return undefined
  }
}

/** For ids of our own making. @throws RangeError for any other. */
export function uuidOfOwn(prefix: IdPrefix, id: string): string {
  const uuid = uuidOf(prefix, id)
  if (uuid === undefined) throw new RangeError(`${id} is no ${prefix}_ id`)
  return uuid
}

/** The lowest id that the millisecond can have: between two of these, Postgres opens only the days that lie there. */
export function uuidAt(millis: number): string {
  const hex = Math.max(0, Math.floor(millis)).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`
}

/** When an id was made, by the clock of its maker. */
export function millisOf(uuid: string): number {
  return Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16)
}

/** The lowest id that can be made in the millisecond; unlike `uuidAt` a UUID, so that it can be written as an id. */
export function firstUuidAt(millis: number): string {
  return `${uuidAt(millis).slice(0, 13)}-7000-8000-000000000000`
}

export function idOf(prefix: IdPrefix, uuid: string): string {
  return fromUUID(uuid, prefix)
}

/** As a parameter bound to a `bytea` column. */
export function bytes(hex: Hex): Buffer {
  return Buffer.from(hex.slice(2), 'hex')
}

/** As a `bytea` inside a JSON parameter that `jsonb_to_recordset` reads. */
export function byteaText(hex: Hex): string {
  return `\\x${hex.slice(2)}`
}

export function hexOf(value: Uint8Array): Hex {
  return `0x${Buffer.from(value).toString('hex')}`
}

export function addressOf(value: Uint8Array): Address {
  return checksumAddress(hexOf(value))
}
