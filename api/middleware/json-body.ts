import type { MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { RelayError } from '../../core/errors.ts'

/** 1 MiB: 500 intents with room to spare. */
const bodyBytesMax = 1_048_576

/** Counts what really arrives, so a chunked body cannot lie about its length. */
export const limitBody = bodyLimit({
  maxSize: bodyBytesMax,
  onError: () => {
    throw new RelayError('body_too_large', `The body is larger than ${bodyBytesMax} bytes.`, {
      fields: { bytesMax: bodyBytesMax },
    })
  },
})

const jsonType = /^application\/([\w.-]+\+)?json\s*(;|$)/i

/** Refuses what is no JSON before a key is claimed for it. A POST without a body is an empty object. */
export const requireJson: MiddlewareHandler = async (c, next) => {
  const type = c.req.header('content-type')
  const text = await c.req.text()
  if (text === '' && type === undefined) return next()
  if (type === undefined || !jsonType.test(type)) {
    throw new RelayError('unsupported_media_type', `Content-Type is ${type ?? 'missing'}, not application/json.`)
  }
  try {
    JSON.parse(text)
  } catch (error) {
    throw new RelayError('malformed_json', whereItBreaks(error, text))
  }
  return next()
}

/** The engine's message quotes the body; only the position goes back, or where it gives none, the character. */
function whereItBreaks(error: unknown, text: string): string {
  if (text === '') return 'The body is empty.'
  const position = error instanceof Error ? /at position (\d+)/.exec(error.message)?.[1] : undefined
  const token = error instanceof Error ? /^Unexpected token '(.)'/su.exec(error.message)?.[1] : undefined
  if (position === undefined && token !== undefined) return `The JSON breaks at an unexpected ${token}`
  if (position === undefined) return 'The body ends before the JSON does, or is no JSON at all.'
  const before = text.slice(0, Number(position)).split('\n')
  return `The JSON breaks at line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}.`
}
