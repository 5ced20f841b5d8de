import type { Hex } from 'viem'
import { z } from 'zod'
import type { Config } from './config.ts'

/** Where a signer's key is kept, as configuration names it. Passwords and PINs stand in files, never in a URI. */
export type SignerUri =
  | { readonly custody: 'local'; readonly privateKey: Hex }
  | { readonly custody: 'keystore'; readonly path: string; readonly passwordPath: string }
  | {
      readonly custody: 'aws-kms'
      /** Key id, ARN or alias. */
      readonly keyId: string
      readonly region: string
      readonly endpoint: string | undefined
    }
  | {
      readonly custody: 'pkcs11'
      readonly modulePath: string
      readonly pinPath: string
      readonly token: string
      readonly serial: string | undefined
      /** Label and id (CKA_LABEL, CKA_ID) of the private key; at least one is given. */
      readonly object: string | undefined
      readonly id: Hex | undefined
    }

/** What is wrong with a URI. Quotes nothing of it: it may hold a key. */
class UriFault extends Error {}

/** `custody:path?name=value&…`, values percent-encoded; for PKCS#11 the attributes of RFC 7512. */
export const signerUriSchema = z.string().transform((text, context) => {
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof UriFault)) throw error
    context.addIssue(error.message)
    return z.NEVER
  }
})

/** At least one, separated by commas; a comma inside a URI is written %2C. */
export const signerUrisSchema = z.string().transform((text, context): readonly SignerUri[] =>
  text.split(',').flatMap((part, index) => {
    const parsed = signerUriSchema.safeParse(part.trim())
    if (parsed.success) return [parsed.data]
    for (const { message } of parsed.error.issues) context.addIssue(`signer ${index + 1}: ${message}`)
    return []
  }),
)

/** Chains of Hardhat and anvil, on this machine only: their money is worth nothing. */
const developmentChainId = 31337

/** What to say at the start if a key stands in the environment of a process that works on a real chain. */
export function developmentKeyWarning(uris: readonly SignerUri[], { chains }: Config): string | undefined {
  if (uris.every(({ custody }) => custody !== 'local')) return undefined
  if (chains.every(({ chainId }) => chainId === developmentChainId)) return undefined
  return 'A local: key stands in the environment. That is for development: move it into an HSM or KMS.'
}

const parsers: Readonly<Record<string, (path: string, query: string) => SignerUri>> = {
  local: (path, query) => {
    attributes(query, '&', [])
    if (!/^0x[0-9a-fA-F]{64}$/.test(path)) throw new UriFault('local: is followed by 32 bytes in hex, with 0x')
    return { custody: 'local', privateKey: path as Hex }
  },
  keystore: (path, query) => {
    const found = attributes(query, '&', ['password-file'])
    const passwordPath = required(found, 'password-file')
    if (path === '') throw new UriFault('keystore: is followed by the path of a file')
    return { custody: 'keystore', path: decode(path), passwordPath }
  },
  'aws-kms': (path, query) => {
    const found = attributes(query, '&', ['region', 'endpoint'])
    if (path === '') throw new UriFault('aws-kms: is followed by a key id, ARN or alias')
    const endpoint = found.get('endpoint')
    if (endpoint !== undefined && !isPrivate(endpoint)) {
      throw new UriFault('endpoint is an https URL, or an http URL of this machine')
    }
    return { custody: 'aws-kms', keyId: decode(path), region: required(found, 'region'), endpoint }
  },
  pkcs11: (path, query) => {
    const key = attributes(path, ';', ['token', 'serial', 'object', 'id', 'type'], bytesOf)
    const how = attributes(query, '&', ['module-path', 'pin-source'])
    const text = (name: string) => {
      const bytes = key.get(name)
      return bytes === undefined ? undefined : textOf(bytes)
    }
    const id = key.get('id')
    if (key.get('object') === undefined && id === undefined) throw new UriFault('object or id is missing')
    if ((text('type') ?? 'private') !== 'private') throw new UriFault('type is private')
    return {
      custody: 'pkcs11',
      modulePath: required(how, 'module-path'),
      pinPath: pathOfFileUri(required(how, 'pin-source')),
      token: text('token') ?? missing('token'),
      serial: text('serial'),
      object: text('object'),
      id: id === undefined ? undefined : hexOf(id),
    }
  },
}

function parse(text: string): SignerUri {
  const [, scheme = '', path = '', query = ''] = /^([a-z0-9-]+):([^?]*)(?:\?(.*))?$/s.exec(text) ?? []
  const parser = Object.hasOwn(parsers, scheme) ? parsers[scheme] : undefined
  if (parser === undefined) throw new UriFault(`begins with ${Object.keys(parsers).join(':, ')}:`)
  return parser(path, query)
}

function attributes<Value = string>(
  text: string,
  separator: ';' | '&',
  known: readonly string[],
  decodeValue: (value: string) => Value = decode as (value: string) => Value,
): ReadonlyMap<string, Value> {
  const found = new Map<string, Value>()
  for (const pair of text === '' ? [] : text.split(separator)) {
    const at = pair.indexOf('=')
    const name = pair.slice(0, Math.max(at, 0))
    // A PIN or password has no place in the environment, and is not repeated in an error either.
    if (!known.includes(name)) {
      throw new UriFault(known.length === 0 ? 'takes no attributes' : `takes only ${known.join(', ')} here`)
    }
    if (found.has(name)) throw new UriFault(`${name} is there twice`)
    if (at === pair.length - 1) throw new UriFault(`${name} is empty`)
    found.set(name, decodeValue(pair.slice(at + 1)))
  }
  return found
}

function required(found: ReadonlyMap<string, string>, name: string): string {
  return found.get(name) ?? missing(name)
}

function missing(name: string): never {
  throw new UriFault(`${name} is missing`)
}

/** RFC 7512 lets a label or id hold any bytes. */
function bytesOf(text: string): Uint8Array {
  if (/%(?![0-9a-fA-F]{2})/.test(text)) throw new UriFault('a % is followed by two hex digits')
  const parts = text.match(/%[0-9a-fA-F]{2}|[^%]+/g) ?? []
  const encoder = new TextEncoder()
  return Uint8Array.from(
    parts.flatMap((part) => (part.startsWith('%') ? [Number.parseInt(part.slice(1), 16)] : [...encoder.encode(part)])),
  )
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    // The decoder has no other fault, and its message would add nothing.
    throw new UriFault('what is percent-encoded is not UTF-8')
  }
}

const decode = (text: string): string => textOf(bytesOf(text))
const hexOf = (bytes: Uint8Array): Hex => `0x${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`

/** RFC 8089: `file:/path` or `file:///path`. */
function pathOfFileUri(uri: string): string {
  const path = /^file:(?:\/\/)?(\/[^/].*)$/s.exec(uri)?.[1]
  return path ?? failed('pin-source is file: with an absolute path')
}

function failed(reason: string): never {
  throw new UriFault(reason)
}

/** Over plain http only this machine is asked: digests and answers could be changed on the way. */
function isPrivate(endpoint: string): boolean {
  if (!URL.canParse(endpoint)) return false
  const { protocol, hostname } = new URL(endpoint)
  return protocol === 'https:' || (protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]'].includes(hostname))
}
