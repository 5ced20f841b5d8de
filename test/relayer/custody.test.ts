import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { encryptKeystoreJson } from 'ethers'
import type { Hex } from 'viem'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { afterAll, describe, expect, test } from 'vitest'
import { localAccounts, privateKeyOf } from '../../scripts/local/accounts.ts'
import { startKms } from '../ports/kms-double.ts'
import { expectNoSecret } from '../ports/signer.suite.ts'
import { startSurroundings } from './processes.ts'

const surroundings = await startSurroundings()
const { start, directory } = surroundings
const kms = await startKms()
afterAll(() => kms.stop())
const accessSecret = 'an-example-of-an-access-secret'
const aws = { AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE', AWS_SECRET_ACCESS_KEY: accessSecret }

const [password, otherPassword] = ['correct horse, battery; staple', 'some other password']
const keystoreKey = generatePrivateKey()
const keystoreAddress = privateKeyToAddress(keystoreKey)
const kmsKey: Hex = `0x${kms.secret}`
const [localKey = '0x'] = localAccounts.lanes.map(privateKeyOf)
const authorityKey = privateKeyOf(localAccounts.acknowledger)
const at = (name: string): string => join(directory, name)
await writeFile(
  at('lane.json'),
  await encryptKeystoreJson({ address: keystoreAddress, privateKey: keystoreKey }, password, {
    scrypt: { N: 1024, r: 8, p: 1 },
  }),
)
await writeFile(at('password'), password)
await writeFile(at('other-password'), otherPassword)
const uris = {
  local: `local:${localKey}`,
  keystore: `keystore:${at('lane.json')}?password-file=${at('password')}`,
  lockedKeystore: `keystore:${at('lane.json')}?password-file=${at('other-password')}`,
  kms: `aws-kms:alias/ice?region=eu-central-1&endpoint=${kms.endpoint}`,
}
const secrets = [localKey, keystoreKey, kmsKey, authorityKey].map((key) => key.slice(2))
secrets.push(password, otherPassword, accessSecret, '5e'.repeat(32))

describe('the relayer process', () => {
  test('works with a lane in each custody, warns of the local key once, and prints no secret', async () => {
    await surroundings.addLane(keystoreAddress)
    await surroundings.addLane(privateKeyToAddress(kmsKey))
    const relayer = start('relayer', { ...aws, LANE_SIGNERS: [uris.local, uris.keystore, uris.kms].join(',') })
    const addresses = [localKey, keystoreKey, kmsKey].map((key) => privateKeyToAddress(key))
    expect(await relayer.ready).toEqual({ lanes: addresses })
    relayer.child.kill('SIGTERM')
    expect(await relayer.ended).toBe(0)
    expect(relayer.said().match(/That is for development/g)).toHaveLength(1)
    expectNoSecret(relayer.said(), secrets)
  })

  test.each([
    ['a password that is another', { LANE_SIGNERS: uris.lockedKeystore }, /^The keystore .* its password is another/],
    [
      'KMS that nobody reaches',
      { ...aws, LANE_SIGNERS: 'aws-kms:alias/ice?region=eu-central-1&endpoint=http://127.0.0.1:1' },
      /^The AWS KMS key alias\/ice in eu-central-1 does not answer/,
    ],
    ['one key twice', { LANE_SIGNERS: `${uris.local},${uris.local}` }, /^LANE_SIGNERS names the key of 0x\w+ twice/],
    [
      'a signer that the vault does not know',
      { LANE_SIGNERS: `local:${privateKeyOf(localAccounts.stranger)}` },
      /Nothing is signed, because anvil: the relayer id of lane 0x\w+ is 0 on chain/,
    ],
  ])('does not start with %s: it says so in one sentence, without a secret', async (_, changes, sentence) => {
    const relayer = start('relayer', { LOG_LEVEL: 'error', ...changes })
    expect(await relayer.ended).toBe(1)
    expect(relayer.said()).toMatch(sentence)
    expect(relayer.said()).not.toMatch(/\n\s+at /)
    expectNoSecret(relayer.said(), secrets)
  })

  test('does not start while open batches are bound to a signer that it does not have, unless that is known', async () => {
    await surroundings.bindBatch(keystoreAddress)
    const refused = start('relayer', { LANE_SIGNERS: uris.local })
    expect(await refused.ended).toBe(1)
    expect(refused.said()).toContain(
      `anvil: open batches are bound to signers that LANE_SIGNERS lacks (1 to ${keystoreAddress}). Give them back`,
    )
    const known = start('relayer', { LANE_SIGNERS: uris.local, LANES_ABSENT: keystoreAddress })
    await known.ready
    expect(known.said()).toContain('bound to a signer that LANES_ABSENT names')
    known.child.kill('SIGTERM')
    expect(await known.ended).toBe(0)
  })
})

describe('the API process', () => {
  test.each([
    ['local', `local:${authorityKey}`, localAccounts.acknowledger.address],
    ['keystore', uris.keystore, keystoreAddress],
    ['AWS KMS', uris.kms, privateKeyToAddress(kmsKey)],
  ] as const)('certifies its keys by an authority in %s, and prints no secret', async (_, uri, address) => {
    await surroundings.setAuthority(address)
    const api = start('api', { ...aws, ACKNOWLEDGER: uri })
    await api.ready
    expect(api.said()).toContain('A new acknowledgement key is certified')
    api.child.kill('SIGTERM')
    expect(await api.ended).toBe(0)
    expectNoSecret(api.said(), secrets)
  })

  test('keeps serving when its authority is changed on chain, and does not start again with the former one', {
    timeout: 120_000,
  }, async () => {
    await surroundings.setAuthority(localAccounts.acknowledger.address)
    const former = start('api', { ACKNOWLEDGER: `local:${authorityKey}` })
    const { url } = (await former.ready) as { url: string }
    await surroundings.setAuthority(keystoreAddress)
    expect((await fetch(`${url}/healthz`)).status).toBe(200)

    const again = start('api', { ACKNOWLEDGER: `local:${authorityKey}` })
    expect(await again.ended).toBe(1)
    expect(again.said()).toContain('Nothing is promised, because anvil: the acknowledgement authority is')
    const next = start('api', { ACKNOWLEDGER: uris.keystore })
    await next.ready
    for (const { child } of [former, next]) child.kill('SIGTERM')
    expect(await Promise.all([former.ended, next.ended])).toEqual([0, 0])
  })
})
