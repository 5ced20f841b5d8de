import { fromUUID } from 'typeid-js'

export const dayMillis = 24 * 3600 * 1000

/**
 * The id of the order that a request registers: the same for every repetition of it on one UTC day, so that a request
 * whose answer was lost registers nothing twice. A TypeID over UUIDv7 like any other, its time being the day's start; the
 * rest is the hash of app, key, path and body, which nobody else can guess.
 * @param requestSha256 as `idempotent` leaves it in `requestSha256`
 * @see RFC 9562 §5.7
 */
export function orderIdOf(requestSha256: Uint8Array, nowMillis: number): string {
  const bytes = Buffer.alloc(16)
  bytes.writeUIntBE(nowMillis - (nowMillis % dayMillis), 0, 6)
  bytes.set(requestSha256.subarray(0, 10), 6)
  bytes.writeUInt8(0x70 | (bytes.readUInt8(6) & 0x0f), 6)
  bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8)
  const hex = bytes.toString('hex')
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
  return fromUUID(uuid, 'po')
}
