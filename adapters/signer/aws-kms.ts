import { createPublicKey } from 'node:crypto'
import { GetPublicKeyCommand, KMSClient, SignCommand } from '@aws-sdk/client-kms'
import { secp256k1 } from '@noble/curves/secp256k1'
import { type Hex, hexToBytes } from 'viem'
import { publicKeyToAddress } from 'viem/accounts'
import { type Signer, SignerRefusedError, SignerUnavailableError } from '../../core/ports/signer.ts'
import type { SignerUri } from '../../core/signer-uri.ts'
import { canonicalSignature, type RawSignature } from './canonical.ts'

/** Of one question, all its tries together: a lane's lease of 10 s must not end meanwhile. */
const limitsDefault = { triesMax: 3, connectMillisMax: 1_000, requestMillisMax: 2_500, questionMillisMax: 8_000 }

/**
 * A key of AWS KMS (key spec ECC_SECG_P256K1, usage SIGN_VERIFY). It never leaves KMS: each signature is a request, with
 * the SDK's own credentials and retries. The public key is read once, and the ARN it came with is asked from then on, so
 * that an alias which is pointed elsewhere changes nothing.
 * @throws SignerUnavailableError, SignerRefusedError
 */
export async function awsKmsSigner(
  { keyId, region, endpoint }: Extract<SignerUri, { custody: 'aws-kms' }>,
  limits: Partial<typeof limitsDefault> = {},
): Promise<Signer> {
  const { triesMax, connectMillisMax, requestMillisMax, questionMillisMax } = { ...limitsDefault, ...limits }
  const who = `The AWS KMS key ${keyId} in ${region}`
  const client = new KMSClient({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    maxAttempts: triesMax,
    requestHandler: {
      connectionTimeout: connectMillisMax,
      requestTimeout: requestMillisMax,
      throwOnRequestTimeout: true,
    },
  })
  const ask = async <Answer>(question: (abortSignal: AbortSignal) => Promise<Answer>): Promise<Answer> =>
    question(AbortSignal.timeout(questionMillisMax)).catch((error: unknown) => {
      throw failureOf(who, error)
    })

  const key = await ask((abortSignal) => client.send(new GetPublicKeyCommand({ KeyId: keyId }), { abortSignal }))
  if (key.KeySpec !== 'ECC_SECG_P256K1' || key.KeyUsage !== 'SIGN_VERIFY' || key.PublicKey === undefined) {
    throw new SignerRefusedError(who, `it is ${key.KeySpec} for ${key.KeyUsage}, not ECC_SECG_P256K1 for SIGN_VERIFY`)
  }
  const address = publicKeyToAddress(pointOf(key.PublicKey))
  const arn = key.KeyId ?? keyId

  return {
    address,
    signDigest: async (digest) => {
      const answer = await ask((abortSignal) =>
        client.send(
          new SignCommand({
            ...{ KeyId: arn, SigningAlgorithm: 'ECDSA_SHA_256' },
            ...{ MessageType: 'DIGEST', Message: hexToBytes(digest) },
          }),
          { abortSignal },
        ),
      )
      const raw = answer.Signature === undefined ? undefined : parseDer(answer.Signature)
      const signature = raw === undefined ? undefined : canonicalSignature(raw, digest, address)
      if (signature === undefined) throw new SignerRefusedError(who, `what came back is no signature by ${address}`)
      return signature
    },
  }
}

/** SubjectPublicKeyInfo (RFC 5480) → 04 ‖ x ‖ y. */
function pointOf(spki: Uint8Array): Hex {
  const { x = '', y = '' } = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }).export({
    format: 'jwk',
  })
  return `0x04${Buffer.from(x, 'base64url').toString('hex')}${Buffer.from(y, 'base64url').toString('hex')}`
}

function parseDer(der: Uint8Array): RawSignature | undefined {
  try {
    return secp256k1.Signature.fromDER(der)
  } catch {
    // The only input is what the service sent: what does not parse is no signature, and the caller says so.
    return undefined
  }
}

/** Errors that a retry cannot mend while nobody changes the key, its policy or the request. */
const permanent = new Set([
  'AccessDeniedException',
  'DisabledException',
  'IncompleteSignature',
  'InvalidArnException',
  'InvalidClientTokenId',
  'InvalidKeyUsageException',
  'InvalidSignatureException',
  'KMSInvalidStateException',
  'NotFoundException',
  'UnrecognizedClientException',
  'UnsupportedOperationException',
  'ValidationException',
])

/** Name and status only: the SDK's errors carry request and response. */
function failureOf(who: string, error: unknown): Error {
  const name = error instanceof Error ? error.name : 'unknown error'
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode
  const reason = status === undefined ? name : `${name}, status ${status}`
  return permanent.has(name) ? new SignerRefusedError(who, reason) : new SignerUnavailableError(who, reason)
}
