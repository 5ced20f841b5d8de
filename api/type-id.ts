import { toUUID } from 'typeid-js'

/** Whether this may be an id that ICE made with this prefix: a TypeID over a UUID. */
export function isTypeId(prefix: string, text: string): boolean {
  if (!new RegExp(`^${prefix}_[0-7][0-9a-hjkmnp-tv-z]{25}$`).test(text)) return false
  try {
    toUUID(text as Parameters<typeof toUUID>[0])
    return true
  } catch {
    return false
  }
}
