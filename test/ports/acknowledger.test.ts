import { recoverAddress, toHex } from 'viem'
import { generatePrivateKey } from 'viem/accounts'
import { describe, expect, test } from 'vitest'
import { createAcknowledger } from '../../adapters/evm/acknowledger.ts'
import { localSigner } from '../../adapters/signer/local.ts'
import { RelayError } from '../../core/errors.ts'
import type { Signer } from '../../core/ports/signer.ts'
import {
  acknowledgementKeyDigest,
  acknowledgementRootDigest,
  domainOf,
  domainSeparator,
} from '../../core/protocol/typed-data.ts'

const newKey = () => localSigner(generatePrivateKey())

const vaults = {
  1: '0x5FbDB2315678afecb367f032d93F642f64180aa3',
  56: '0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512',
} as const
const root = toHex(7n, { size: 32 })
const startSeconds = 1_800_000_000
const lifetimeSeconds = 1_000

/** Counts what the authority is asked, and fails when told: the wire to a KMS, which does not run here. */
function countedAuthority() {
  const signer = localSigner(generatePrivateKey())
  const counted = { asked: 0, isAway: false }
  const authority: Signer = {
    address: signer.address,
    async signDigest(digest) {
      counted.asked++
      if (counted.isAway) throw new Error('the KMS is away')
      return signer.signDigest(digest)
    },
  }
  return Object.assign(counted, { authority })
}

async function started() {
  const [first, second] = [countedAuthority(), countedAuthority()]
  const time = { seconds: startSeconds }
  const acknowledger = await createAcknowledger({
    newKey,
    authorities: new Map([
      [1, { authority: first.authority, relayerId: 7, vault: vaults[1] }],
      [56, { authority: second.authority, relayerId: 8, vault: vaults[56] }],
    ]),
    clock: { nowMillis: () => time.seconds * 1000 },
    lifetimeSeconds,
  })
  acknowledger.stop()
  return { acknowledger, first, second, time }
}

describe('the acknowledgement key', () => {
  test.each([1, 56] as const)('signs roots for the vault on chain %d, certified by its authority', async (chainId) => {
    const { acknowledger, first, second } = await started()
    const separator = domainSeparator(domainOf({ chainId, vault: vaults[chainId] }))
    const { authority, signature, ...key } = acknowledger.certificate(chainId)
    expect(authority).toBe((chainId === 1 ? first : second).authority.address)
    expect(key.relayerId).toBe(chainId === 1 ? 7 : 8)
    const digest = acknowledgementKeyDigest(separator, key)
    expect(await recoverAddress({ hash: digest, signature })).toBe(authority)
    const signed = await acknowledger.signRoot(chainId, root)
    expect(await recoverAddress({ hash: acknowledgementRootDigest(separator, root), signature: signed })).toBe(key.key)
  })

  test('covers what is accepted at its last second, and what was timed half a life before it came', async () => {
    const { acknowledger } = await started()
    expect(acknowledger.certificate(1)).toMatchObject({
      notBefore: BigInt(startSeconds - lifetimeSeconds / 2),
      notAfter: BigInt(startSeconds + lifetimeSeconds),
    })
  })

  test('asks the authority once, however much is signed', async () => {
    const { acknowledger, first } = await started()
    for (let i = 0; i < 20; i++) await acknowledger.signRoot(1, root)
    expect(first.asked).toBe(1)
  })

  test('stays until a second before half its life, and is another at half its life', async () => {
    const { acknowledger, time } = await started()
    const before = acknowledger.certificate(1).key
    time.seconds += lifetimeSeconds / 2 - 1
    await acknowledger.rotate()
    expect(acknowledger.certificate(1).key).toBe(before)
    time.seconds += 1
    await acknowledger.rotate()
    expect(acknowledger.certificate(1).key).not.toBe(before)
  })

  test('is the one of the certificate that was read just before, also while it is being replaced', async () => {
    const { acknowledger, time } = await started()
    time.seconds += lifetimeSeconds / 2
    const rotating = acknowledger.rotate()
    const { key } = acknowledger.certificate(1)
    const signing = acknowledger.signRoot(1, root)
    await rotating
    const separator = domainSeparator(domainOf({ chainId: 1, vault: vaults[1] }))
    const hash = acknowledgementRootDigest(separator, root)
    expect(await recoverAddress({ hash, signature: await signing })).toBe(key)
    expect(acknowledger.certificate(1).key).not.toBe(key)
  })

  test('serves to its very last second while its authority is away, and no second longer', async () => {
    const { acknowledger, first, time } = await started()
    first.isAway = true
    time.seconds += lifetimeSeconds
    await expect(acknowledger.rotate()).rejects.toThrow('the KMS is away')
    await acknowledger.signRoot(1, root)
    time.seconds += 1
    expect(() => acknowledger.certificate(1)).toThrow(RelayError)
    await expect(acknowledger.signRoot(1, root)).rejects.toThrow(RelayError)
  })

  test('of one chain is replaced although the authority of another is away', async () => {
    const { acknowledger, first, time } = await started()
    const before = acknowledger.certificate(56).key
    first.isAway = true
    time.seconds += lifetimeSeconds / 2
    await expect(acknowledger.rotate()).rejects.toThrow('the KMS is away')
    expect(acknowledger.certificate(56).key).not.toBe(before)
    first.isAway = false
    await acknowledger.rotate()
    expect(acknowledger.certificate(1).notAfter).toBe(BigInt(time.seconds + lifetimeSeconds))
  })

  test('is not to be had for a chain that has no authority', async () => {
    const { acknowledger } = await started()
    expect(() => acknowledger.certificate(5)).toThrow(RelayError)
    await expect(acknowledger.signRoot(5, root)).rejects.toThrow(RelayError)
  })

  test('that could not be certified at the start is an error at the start', async () => {
    const away = countedAuthority()
    away.isAway = true
    const authorities = new Map([[1, { authority: away.authority, relayerId: 7, vault: vaults[1] }]])
    const options = { authorities, newKey, clock: { nowMillis: () => startSeconds * 1000 }, lifetimeSeconds }
    await expect(createAcknowledger(options)).rejects.toThrow('the KMS is away')
  })
})
