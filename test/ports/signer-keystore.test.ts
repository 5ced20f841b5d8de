import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encryptKeystoreJson } from 'ethers'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keystoreSigner } from '../../adapters/signer/keystore.ts'
import { SignerRefusedError } from '../../core/ports/signer.ts'
import { failureOf, testSigner } from './signer.suite.ts'

const privateKey = generatePrivateKey()
const address = privateKeyToAddress(privateKey)
const password = 'correct horse, battery; staple'
const secrets = [privateKey.slice(2), password, 'another password']
let directory: string
const at = (name: string): string => join(directory, name)
const open = (path: string, passwordPath: string) =>
  keystoreSigner({ custody: 'keystore', path: at(path), passwordPath: at(passwordPath) })

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ice-test-keystore-'))
  // A cheap scrypt, or each opening would take a second; ethers reads the cost from the file.
  const json = await encryptKeystoreJson({ address, privateKey }, password, { scrypt: { N: 1024, r: 8, p: 1 } })
  const files = {
    'lane.json': json,
    'tampered.json': json.replace(/"mac":"../, '"mac":"00'),
    'other.json': JSON.stringify({ key: privateKey }),
    password,
    'password-with-newline': `${password}\n`,
    'other-password': 'another password',
    empty: '\n',
  }
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(at(name), text)))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

testSigner('a key in an encrypted keystore', async () => ({ signer: await open('lane.json', 'password'), secrets }))

describe('a keystore', () => {
  test('opens with a password whose file ends in a newline, and has the address of its key', async () => {
    expect((await open('lane.json', 'password-with-newline')).address).toBe(address)
  })

  test.each([
    ['lane.json', 'other-password', 'its password is another, or the file is damaged'],
    ['tampered.json', 'password', 'its password is another, or the file is damaged'],
    ['other.json', 'password', 'it is no JSON keystore of version 3'],
    ['nowhere.json', 'password', 'it cannot be read (ENOENT)'],
    ['lane.json', 'nowhere', 'nowhere cannot be read (ENOENT)'],
    ['lane.json', 'empty', 'empty holds 0 characters, not 1 to 1024'],
  ])('%s with the password file %s is refused in one sentence', async (path, passwordPath, sentence) => {
    const error = await failureOf(open(path, passwordPath), SignerRefusedError, secrets)
    expect(error.message).toContain(sentence)
    expect(error.message).toMatch(/^The keystore [^\n]* cannot be used: [^\n]*\.$/)
  })
})
