import { describe, expect, test } from 'vitest'
import type { Config } from '../../core/config.ts'
import { developmentKeyWarning, signerUriSchema, signerUrisSchema } from '../../core/signer-uri.ts'

const key = `0x${'5e'.repeat(32)}` as const
const arn = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'
const hsm = 'pkcs11:token=ice;object=lane-1?module-path=/usr/lib/hsm.so&pin-source=file:/run/secrets/pin'

describe('a signer URI', () => {
  test.each([
    [`local:${key}`, { custody: 'local', privateKey: key }],
    [
      'keystore:/etc/ice/lane%2C1.json?password-file=/run/secrets/a%26b',
      { custody: 'keystore', path: '/etc/ice/lane,1.json', passwordPath: '/run/secrets/a&b' },
    ],
    ['aws-kms:alias/lane?region=eu-central-1', { custody: 'aws-kms', keyId: 'alias/lane', region: 'eu-central-1' }],
    [`aws-kms:${arn}?region=eu-central-1`, { custody: 'aws-kms', keyId: arn }],
    [
      'aws-kms:alias/lane?region=x&endpoint=https://vpce-1.kms.eu-central-1.vpce.amazonaws.com',
      { endpoint: 'https://vpce-1.kms.eu-central-1.vpce.amazonaws.com' },
    ],
    ['aws-kms:alias/lane?region=x&endpoint=http://127.0.0.1:4566', { endpoint: 'http://127.0.0.1:4566' }],
    [
      hsm,
      {
        ...{ custody: 'pkcs11', modulePath: '/usr/lib/hsm.so', pinPath: '/run/secrets/pin', token: 'ice' },
        ...{ object: 'lane-1', id: undefined, serial: undefined },
      },
    ],
    [
      'pkcs11:token=My%20token;serial=0001;id=%00%ffA;type=private?module-path=/m.so&pin-source=file:///run/pin',
      { token: 'My token', serial: '0001', id: '0x00ff41', object: undefined, pinPath: '/run/pin' },
    ],
  ])('%s is read', (text, expected) => {
    expect(signerUriSchema.parse(text)).toMatchObject(expected)
  })

  test.each([
    ['', 'begins with local:, keystore:, aws-kms:, pkcs11:'],
    [key, 'begins with local:, keystore:, aws-kms:, pkcs11:'],
    [`LOCAL:${key}`, 'begins with'],
    ['constructor:x', 'begins with'],
    [`local:${key}00`, 'local: is followed by 32 bytes in hex, with 0x'],
    [`local:${key}?name=5e5e`, 'takes no attributes'],
    ['keystore:?password-file=/p', 'keystore: is followed by the path of a file'],
    ['keystore:/k.json', 'password-file is missing'],
    ['keystore:/k.json?password=5e5e', 'takes only password-file here'],
    ['keystore:/k.json?password-file=', 'password-file is empty'],
    ['keystore:/k.json?password-file=/a&password-file=/b', 'password-file is there twice'],
    ['keystore:/k%.json?password-file=/p', 'a % is followed by two hex digits'],
    ['keystore:/k%ff.json?password-file=/p', 'what is percent-encoded is not UTF-8'],
    ['aws-kms:?region=x', 'aws-kms: is followed by a key id, ARN or alias'],
    ['aws-kms:alias/lane', 'region is missing'],
    ['aws-kms:alias/lane?region=x&endpoint=http://kms.example', 'endpoint is an https URL'],
    ['aws-kms:alias/lane?region=x&endpoint=nowhere', 'endpoint is an https URL'],
    ['pkcs11:token=ice?module-path=/m.so&pin-source=file:/p', 'object or id is missing'],
    ['pkcs11:object=a?module-path=/m.so&pin-source=file:/p', 'token is missing'],
    ['pkcs11:token=ice;object=a?pin-source=file:/p', 'module-path is missing'],
    ['pkcs11:token=ice;object=a?module-path=/m.so', 'pin-source is missing'],
    ['pkcs11:token=ice;object=a?module-path=/m.so&pin-value=5e5e', 'takes only module-path, pin-source here'],
    ['pkcs11:token=ice;object=a?module-path=/m.so&pin-source=|5e5e', 'pin-source is file: with an absolute path'],
    ['pkcs11:token=ice;object=a?module-path=/m.so&pin-source=file://5e5e/pin', 'pin-source is file:'],
    ['pkcs11:token=ice;slot-id=5e5e;object=a?module-path=/m.so', 'takes only token, serial, object, id, type here'],
    ['pkcs11:token=ice;object=a;type=public?module-path=/m.so&pin-source=file:/p', 'type is private'],
  ])('%s is refused with a reason that repeats nothing of it', (text, reason) => {
    const { error } = signerUriSchema.safeParse(text)
    expect(error?.issues.map(({ message }) => message)).toEqual([expect.stringContaining(reason)])
    expect(JSON.stringify(error)).not.toContain('5e5e')
  })
})

test('several stand in a list, separated by commas, and the faulty one is told by its place', () => {
  expect(signerUrisSchema.parse(`local:${key}, ${hsm}`).map(({ custody }) => custody)).toEqual(['local', 'pkcs11'])
  const { error } = signerUrisSchema.safeParse(`local:${key},local:${key.slice(0, -1)},`)
  expect(error?.issues.map(({ message }) => message)).toEqual([
    'signer 2: local: is followed by 32 bytes in hex, with 0x',
    'signer 3: begins with local:, keystore:, aws-kms:, pkcs11:',
  ])
})

test('a local key on any chain but the development chain 31337 is warned of, other custody is not', () => {
  const [local, device] = [signerUriSchema.parse(`local:${key}`), signerUriSchema.parse(hsm)]
  const on = (...ids: readonly number[]) => ({ chains: ids.map((chainId) => ({ chainId })) }) as unknown as Config
  expect(developmentKeyWarning([local], on(31337))).toBeUndefined()
  expect(developmentKeyWarning([device], on(1))).toBeUndefined()
  expect(developmentKeyWarning([device, local], on(31337, 1))).toContain('for development')
})
