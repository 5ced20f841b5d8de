import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { awsKmsSigner } from '../../adapters/signer/aws-kms.ts'
import { SignerRefusedError, SignerUnavailableError } from '../../core/ports/signer.ts'
import { type KmsDouble, kmsArn, startKms } from './kms-double.ts'
import { failureOf, testSigner } from './signer.suite.ts'

/** Credentials that the SDK signs its requests with; the double knows no others. */
const accessSecret = 'wJalrXUtnFEMI-an-example-of-a-secret'
let kms: KmsDouble
beforeAll(async () => {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE', AWS_SECRET_ACCESS_KEY: accessSecret })
  kms = await startKms()
})
afterAll(() => kms.stop())

/** Long enough for a busy machine, short enough for the test that waits for three of them. */
const limits = { requestMillisMax: 1_500, questionMillisMax: 20_000 }
const uriOf = ({ endpoint }: KmsDouble) =>
  ({ custody: 'aws-kms', keyId: 'alias/ice-lane', region: 'eu-central-1', endpoint }) as const
const open = () => awsKmsSigner(uriOf(kms), limits)
const digest = `0x${'5a'.repeat(32)}` as const
const secrets = () => [kms.secret, accessSecret]

testSigner('a key in AWS KMS', async () => ({ signer: await open(), secrets: secrets() }))

describe('AWS KMS', () => {
  test('is asked for the public key once, and from then on for the key that answered, wherever its alias points', async () => {
    const from = kms.asked.length
    const signer = await open()
    await signer.signDigest(digest)
    await signer.signDigest(digest)
    expect(kms.asked.slice(from)).toEqual([
      { action: 'GetPublicKey', keyId: 'alias/ice-lane' },
      { action: 'Sign', keyId: kmsArn },
      { action: 'Sign', keyId: kmsArn },
    ])
  })

  test.each([
    ['throttles twice', { status: 400, type: 'ThrottlingException' }],
    ['fails within twice', { status: 500, type: 'KMSInternalException' }],
    ['breaks off twice', 'breaks off'],
    ['hangs twice', 'hangs'],
  ] as const)('that %s is asked a third time', async (_, trouble) => {
    const signer = await open()
    kms.willAnswer(trouble, trouble)
    expect(await signer.signDigest(digest)).toMatch(/^0x[0-9a-f]{130}$/)
  })

  test.each([
    ['throttles three times', { status: 400, type: 'ThrottlingException' }, 'ThrottlingException, status 400'],
    ['answers 503 three times', { status: 503, type: 'ServiceUnavailable' }, 'status 503'],
    ['hangs three times', 'hangs', 'TimeoutError'],
  ] as const)('that %s is unavailable, and signs again later', async (_, trouble, sentence) => {
    const signer = await open()
    const from = kms.asked.length
    kms.willAnswer(trouble, trouble, trouble)
    const error = await failureOf(signer.signDigest(digest), SignerUnavailableError, secrets())
    expect(error).toMatchObject({ isRetryable: true, message: expect.stringContaining(sentence) })
    expect(kms.asked.length - from).toBe(3)
    expect(await signer.signDigest(digest)).toMatch(/^0x/)
  })

  test.each([
    ['AccessDeniedException', { status: 400, type: 'AccessDeniedException' }],
    ['DisabledException', { status: 400, type: 'DisabledException' }],
    ['no signature by', 'signs with another key'],
    ['no signature by', 'is no DER'],
  ] as const)('whose answer is %s is not asked again for the same signature', async (sentence, trouble) => {
    const signer = await open()
    const from = kms.asked.length
    kms.willAnswer(trouble)
    const error = await failureOf(signer.signDigest(digest), SignerRefusedError, secrets())
    expect(error).toMatchObject({ isRetryable: false, message: expect.stringContaining(sentence) })
    expect(kms.asked.length - from).toBe(1)
  })

  test('with a key on another curve is refused at the start', async () => {
    const other = await startKms({ curve: 'prime256v1', keySpec: 'ECC_NIST_P256' })
    const error = await failureOf(awsKmsSigner(uriOf(other)), SignerRefusedError, [other.secret])
    expect(error.message).toContain('ECC_NIST_P256')
    await other.stop()
  })

  test('that nobody reaches is unavailable at the start', async () => {
    const gone = { ...uriOf(kms), endpoint: 'http://127.0.0.1:1' }
    await failureOf(awsKmsSigner(gone, limits), SignerUnavailableError, secrets())
  })
})
