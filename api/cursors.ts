import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { RelayError } from '../core/errors.ts'
import type { ApiPorts } from './ports.ts'

const cipher = 'aes-256-gcm'
/** @see NIST SP 800-38D §8.2.2: random, with a key per app far below 2³² of them. */
const nonceBytes = 12
const tagBytes = 16
/** A sealed id with room to spare. */
export const sealedCharactersMax = 128

/**
 * Cursors of lists whose pages may end at a row that their reader may not see: such a position is a secret, so it is sealed
 * for the one app that goes on from it.
 */
export type Cursors = {
  readonly seal: (position: string, appId: string) => string
  /** With any of the deployment's keys. @throws RelayError `invalid_request` for what was not sealed for this app */
  readonly open: (text: string, appId: string) => string
}

export function createCursors({ secrets }: Pick<ApiPorts, 'secrets'>): Cursors {
  return {
    seal: (position, appId) => {
      const [newest] = secrets.derive('intent-cursor', appId)
      const nonce = randomBytes(nonceBytes)
      const sealing = createCipheriv(cipher, newest, nonce, { authTagLength: tagBytes })
      const sealed = Buffer.concat([sealing.update(position, 'latin1'), sealing.final()])
      return Buffer.concat([nonce, sealed, sealing.getAuthTag()]).toString('base64url')
    },
    open: (text, appId) => {
      const bytes = Buffer.from(text, 'base64url')
      const isWhole = bytes.length > nonceBytes + tagBytes && bytes.toString('base64url') === text
      const opened = isWhole ? secrets.derive('intent-cursor', appId).map((key) => openWith(key, bytes)) : []
      const position = opened.find((each) => each !== undefined)
      if (position !== undefined) return position
      const message = 'not a nextCursor of this list'
      throw new RelayError('invalid_request', `cursor: ${message}`, {
        fields: { errors: [{ path: 'cursor', message }] },
      })
    },
  }
}

/** Undefined if another key sealed it, or none. */
function openWith(key: Uint8Array, bytes: Buffer): string | undefined {
  const opening = createDecipheriv(cipher, key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes })
  opening.setAuthTag(bytes.subarray(-tagBytes))
  const position = opening.update(bytes.subarray(nonceBytes, -tagBytes), undefined, 'latin1')
  try {
    return position + opening.final('latin1')
  } catch {
    return undefined
  }
}
