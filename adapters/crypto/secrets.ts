import { hkdfSync } from 'node:crypto'
import type { Secrets } from '../../core/ports/secrets.ts'

const secretBytes = 32

/**
 * HKDF-SHA256 (RFC 5869) with purpose and subject as info.
 * @param keys 32 bytes each, in hex with 0x, the newest first
 */
export function createSecrets(keys: readonly [`0x${string}`, ...`0x${string}`[]]): Secrets {
  const [first, ...others] = keys.map((key) => Buffer.from(key.slice(2), 'hex'))
  if (first === undefined) throw new RangeError('no secret key')
  return {
    derive: (purpose, subject) => {
      // The length keeps (a, bc) and (ab, c) apart.
      const info = `ice/1/${purpose.length}/${purpose}/${subject}`
      const from = (key: Buffer) => new Uint8Array(hkdfSync('sha256', key, new Uint8Array(), info, secretBytes))
      return [from(first), ...others.map(from)]
    },
  }
}
