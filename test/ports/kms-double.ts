import { generateKeyPairSync } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { secp256k1 } from '@noble/curves/secp256k1'

/**
 * A DOUBLE of AWS KMS: it exists only in Amazon's network. It speaks KMS's real HTTP protocol (AWS JSON 1.1, GetPublicKey
 * and Sign) to the unmodified SDK and signs with a real key, half of its signatures with a high s, as KMS does. It does not
 * check SigV4 signatures, and its delays and errors are those it is told.
 */
export type KmsDouble = {
  readonly endpoint: string
  /** The private key in hex. */
  readonly secret: string
  /** `Sign`, `GetPublicKey`: what was asked so far, in order, with the KeyId of each. */
  readonly asked: readonly { readonly action: string; readonly keyId: string }[]
  /** The next answers, in order, before good ones come again. */
  readonly willAnswer: (...answers: readonly Trouble[]) => void
  readonly stop: () => Promise<void>
}
export type Trouble =
  | { readonly status: number; readonly type: string }
  | 'hangs'
  | 'breaks off'
  | 'signs with another key'
  | 'is no DER'

export const kmsArn = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'

export async function startKms({ curve = 'secp256k1', keySpec = 'ECC_SECG_P256K1' } = {}): Promise<KmsDouble> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: curve })
  const secret = Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url').toString('hex')
  const asked: { action: string; keyId: string }[] = []
  const troubles: Trouble[] = []

  const sign = (digest: Uint8Array, key: string): Uint8Array => {
    const low = secp256k1.sign(digest, key, { lowS: true })
    const isHigh = asked.length % 2 === 0
    return (isHigh ? new secp256k1.Signature(low.r, secp256k1.CURVE.n - low.s) : low).toDERRawBytes()
  }
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const action = `${request.headers['x-amz-target']}`.replace('TrentService.', '')
    const body = await jsonOf(request)
    asked.push({ action, keyId: body.KeyId })
    const trouble = troubles.shift()
    const say = (status: number, content: object): void => {
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(content))
    }
    if (trouble === 'hangs') return
    if (trouble === 'breaks off') return void response.destroy()
    if (typeof trouble === 'object') return say(trouble.status, { __type: trouble.type, message: 'as it was told' })
    if (!/^AWS4-HMAC-SHA256 Credential=.*\/eu-central-1\/kms\/aws4_request/.test(request.headers.authorization ?? '')) {
      return say(400, { __type: 'IncompleteSignature', message: 'not signed for kms' })
    }
    if (action === 'GetPublicKey') {
      return say(200, {
        KeyId: kmsArn,
        KeySpec: keySpec,
        KeyUsage: 'SIGN_VERIFY',
        PublicKey: publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
        SigningAlgorithms: ['ECDSA_SHA_256'],
      })
    }
    const digest = Buffer.from(body.Message ?? '', 'base64')
    if (action !== 'Sign' || body.MessageType !== 'DIGEST' || body.SigningAlgorithm !== 'ECDSA_SHA_256') {
      return say(400, { __type: 'ValidationException', message: 'not what this double does' })
    }
    if (digest.length !== 32) return say(400, { __type: 'ValidationException', message: 'a digest has 32 bytes' })
    const der = trouble === 'is no DER' ? new Uint8Array(70) : sign(digest, trouble === undefined ? secret : otherKey)
    say(200, {
      KeyId: kmsArn,
      Signature: Buffer.from(der).toString('base64'),
      SigningAlgorithm: 'ECDSA_SHA_256',
    })
  }

  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    secret,
    asked,
    willAnswer: (...answers) => void troubles.push(...answers),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const otherKey = '11'.repeat(32)

async function jsonOf(request: IncomingMessage): Promise<{ KeyId: string } & Record<string, string>> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return JSON.parse(Buffer.concat(chunks).toString())
}
