import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pkcs11Signer } from '../../adapters/signer/pkcs11.ts'
import { SignerRefusedError, SignerUnavailableError } from '../../core/ports/signer.ts'
import { failureOf, testSigner } from '../ports/signer.suite.ts'
import { type SoftHsm, startSoftHsm } from './softhsm.ts'

const digest = `0x${'5a'.repeat(32)}` as const
let hsm: SoftHsm
let secrets: readonly string[]
beforeAll(async () => {
  hsm = await startSoftHsm()
  secrets = [hsm.pin]
  hsm.makeKey('lane-1')
  hsm.makeKey('lane-2')
})
afterAll(() => hsm.stop())

testSigner('a key in a PKCS#11 token', async () => ({ signer: await pkcs11Signer(hsm.uriOf('lane-1')), secrets }))

describe('a PKCS#11 token', () => {
  test('holds several keys, found by label or by id', async () => {
    const [first, second] = await Promise.all(
      [hsm.uriOf('lane-1'), hsm.uriOf('lane-2')].map((uri) => pkcs11Signer(uri)),
    )
    const id = `0x${Buffer.from('lane-2').toString('hex')}` as const
    const byId = await pkcs11Signer({ ...hsm.uriOf('lane-2'), object: undefined, id })
    expect(byId.address).toBe(second?.address)
    expect(first?.address).not.toBe(second?.address)
  })

  test('whose sessions were closed is asked in a fresh one, and nobody notices', async () => {
    const signer = await pkcs11Signer(hsm.uriOf('lane-1'))
    hsm.closeSessions()
    expect(await signer.signDigest(digest)).toMatch(/^0x[0-9a-f]{130}$/)
    hsm.closeSessions()
    await Promise.all(Array.from({ length: 10 }, () => signer.signDigest(digest)))
  })

  test('that is unplugged is unavailable, and signs again when it is back', async () => {
    const [first, second] = await Promise.all(
      [hsm.uriOf('lane-1'), hsm.uriOf('lane-2')].map((uri) => pkcs11Signer(uri)),
    )
    await hsm.unplug()
    const error = await failureOf(first?.signDigest(digest) ?? Promise.resolve(), SignerUnavailableError, secrets)
    expect(error.message).toBe('The key lane-1 of the PKCS#11 token ice does not answer: no such token is present.')
    await hsm.plugIn()
    expect(await first?.signDigest(digest)).toMatch(/^0x/)
    expect(await second?.signDigest(digest)).toMatch(/^0x/)
  })

  test('that does not answer in time is unavailable, its late answer is for nobody, and the next question is heard', async () => {
    const signer = await pkcs11Signer(hsm.uriOf('lane-1'))
    // Opening this one waits for a PIN that does not come, and the device answers one question after the other.
    const pinPath = `${hsm.pinPath}-pipe`
    spawnSync('mkfifo', [pinPath])
    const slow = pkcs11Signer({ ...hsm.uriOf('lane-2'), pinPath }, { questionMillisMax: 300 })
    const error = await failureOf(slow, SignerUnavailableError, secrets)
    expect(error.message).toContain('no answer within 300 ms')
    await writeFile(pinPath, hsm.pin)
    expect(await signer.signDigest(digest)).toMatch(/^0x/)
  })

  test('lets no more than its limit of questions wait', async () => {
    const signer = await pkcs11Signer(hsm.uriOf('lane-1'), { waitingMax: 3 })
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => signer.signDigest(digest)))
    expect(outcomes.map(({ status }) => status)).toEqual([...Array(3).fill('fulfilled'), ...Array(2).fill('rejected')])
  })

  test.each([
    ['a key that it does not have', 'lane-9', {}, 'the token has 0 such private EC keys, not one'],
    ['a key that can be extracted', 'loose', { isExtractable: true }, 'it can be extracted'],
    ['a key on P-256', 'p256', { curve: '06082a8648ce3d030107' }, 'it is not on the curve secp256k1'],
  ] as const)('refuses %s', async (_, label, traits, sentence) => {
    if (label !== 'lane-9') hsm.makeKey(label, traits)
    const error = await failureOf(pkcs11Signer(hsm.uriOf(label)), SignerRefusedError, secrets)
    expect(error.message).toContain(sentence)
  })

  test('that is not there is unavailable; a module that is not there too', async () => {
    const uri = hsm.uriOf('lane-1')
    await failureOf(pkcs11Signer({ ...uri, token: 'other' }), SignerUnavailableError, secrets)
    await failureOf(pkcs11Signer({ ...uri, modulePath: '/nowhere.so' }), SignerUnavailableError, secrets)
    const noPin = await failureOf(
      pkcs11Signer({ ...uri, serial: undefined, pinPath: '/nowhere' }).then((s) => s.signDigest(digest)),
      SignerRefusedError,
      secrets,
    )
    expect(noPin.message).toContain('/nowhere cannot be read (ENOENT)')
  })

  /** Last: the refusal stays for the life of the process. */
  test('is asked with a wrong PIN once, not again, even when the file is right', async () => {
    hsm.closeSessions()
    await writeFile(hsm.pinPath, '00000000')
    const first = await failureOf(pkcs11Signer(hsm.uriOf('lane-1')), SignerRefusedError, [...secrets, '00000000'])
    expect(first.message).toContain('its device refuses the PIN (CKR_PIN_INCORRECT)')
    await writeFile(hsm.pinPath, hsm.pin)
    const second = await failureOf(pkcs11Signer(hsm.uriOf('lane-1')), SignerRefusedError, secrets)
    expect(second.message).toBe(first.message)
  })
})
