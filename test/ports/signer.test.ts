import { inspect } from 'node:util'
import { Transaction, Wallet } from 'ethers'
import * as fc from 'fast-check'
import { type Hex, keccak256, toHex } from 'viem'
import { generatePrivateKey } from 'viem/accounts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectChain } from '../../adapters/evm/chain.ts'
import { signTransaction } from '../../adapters/evm/transaction.ts'
import { localSigner } from '../../adapters/signer/local.ts'
import { startAnvil } from '../../scripts/embedded/chain-anvil.ts'
import { startHardhat } from '../../scripts/embedded/chain-hardhat.ts'
import { localAccounts, privateKeyOf } from '../../scripts/local/accounts.ts'
import { missing, type Node, silent } from './chain.suite.ts'
import { testSigner } from './signer.suite.ts'

const curveOrder = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const word = (value: bigint): Hex => toHex(value, { size: 32 })

const localKey = generatePrivateKey()
testSigner('a local key', async () => ({ signer: localSigner(localKey), secrets: [localKey.slice(2)] }))

describe('a local key', () => {
  test('has the address that ethers gives it, for any key', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: curveOrder - 1n }), (key) => {
        expect(localSigner(word(key)).address).toBe(new Wallet(word(key)).address)
      }),
      { numRuns: 50 },
    )
  })

  test.each([
    ['zero', word(0n)],
    ['the order of the curve', word(curveOrder)],
    ['31 bytes', `0x${'5e'.repeat(31)}`],
    ['33 bytes', `0x${'5e'.repeat(33)}`],
  ] as const)('%s is refused as a key, and the error does not quote it', (_, key) => {
    const error = catchError(() => localSigner(key))
    expect(error).toBeInstanceOf(RangeError)
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(key.slice(2))
  })
})

describe.each([
  ['anvil', () => startAnvil({ blockSeconds: 1 })],
  ['Hardhat', () => startHardhat({ blockSeconds: 1 })],
] as const)('a raw tx that a signer signed', (name, start) => {
  let node: Node
  beforeAll(async () => {
    node = await start()
  })
  afterAll(() => node?.stop())

  test(`says to ethers what it was asked to say, and ${name} takes it from the signer's account`, async () => {
    const signer = localSigner(privateKeyOf(localAccounts.stranger))
    const to = localAccounts.owner.address
    const fees = { maxFeePerGasWei: 10_000_000_000n, maxPriorityFeePerGasWei: 2n }
    const { raw, hash } = await signTransaction({
      ...{ signer, chainId: node.chainId, nonce: 0, to, data: '0xabcdef', gas: 60_000n, fees },
    })
    expect(hash).toBe(keccak256(raw))
    const parsed = Transaction.from(raw)
    expect(parsed).toMatchObject({ type: 2, nonce: 0, to, data: '0xabcdef', from: signer.address, hash, value: 0n })
    expect(parsed).toMatchObject({ gasLimit: 60_000n, maxFeePerGas: 10_000_000_000n, maxPriorityFeePerGas: 2n })

    const chain = connectChain({ chainId: node.chainId, rpcUrls: [node.rpcUrl], vault: to, relayerId: 1, log: silent })
    expect(await chain.send(raw)).toEqual({ outcome: 'sent' })
    expect(await chain.transaction(hash)).toEqual({
      outcome: 'found',
      value: { to, from: signer.address, input: '0xabcdef' },
    })
  })
})

test('a tx whose tip is above its fee cap is not signed', async () => {
  const signer = { address: localAccounts.owner.address, signDigest: () => missing('a reason to be asked') }
  const fees = { maxFeePerGasWei: 1n, maxPriorityFeePerGasWei: 2n }
  const tx = { signer, chainId: 1, nonce: 0, to: signer.address, data: '0x', gas: 21_000n, fees } as const
  await expect(signTransaction(tx)).rejects.toThrow(/tip/)
})

function catchError(attempt: () => unknown): unknown {
  try {
    attempt()
    return undefined
  } catch (error) {
    return error
  }
}
