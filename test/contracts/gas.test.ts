import type { Hex } from 'viem'
import { privateKeyToAccount, sign } from 'viem/accounts'
import { describe, expect, test } from 'vitest'
import { encodeBatch, type SignedPayment } from '../../core/protocol/packed.ts'
import { parseSignature } from '../../core/protocol/signature.ts'
import { domainOf, domainSeparator, type Payment, paymentDigest } from '../../core/protocol/typed-data.ts'
import { chainId, deployVault } from './deployment.ts'

const startsAt = 1_800_000_000
const paymentCount = 300

/** Receipt gas per payment. A gate: raise a bound only with a reason. */
const bounds = [
  { payeeCount: 1, gasMax: 11_200 },
  { payeeCount: 10, gasMax: 11_500 },
]

describe('gas per payment in steady state, 300 payers', () => {
  test.each(bounds)('stays under $gasMax with $payeeCount payees', async ({ payeeCount, gasMax }) => {
    const { vault, token, deposit, settle } = await deployVault({ startsAt })
    const separator = domainSeparator(domainOf({ chainId, vault: vault.address }))
    const payers = Array.from({ length: paymentCount }, (_, i) => privateKeyToAccount(keyOf(1_000 + i)))
    const payees = Array.from({ length: payeeCount }, (_, i) => privateKeyToAccount(keyOf(9_000 + i)))
    for (const { address } of payers) await deposit({ payer: address, amount: 100_000_000n })

    async function settleOneEach(nonce: bigint) {
      const payments = payers.map(async ({ address }, i): Promise<SignedPayment> => {
        const payment: Payment = {
          payer: address,
          payee: payees[i % payeeCount]?.address ?? '0x',
          token: token.address,
          amount: 1_000_000n + BigInt(i),
          nonce,
          deadline: BigInt(startsAt + 3_600 + i),
          orderRef: '0x1122334455667788',
        }
        const signature = await sign({
          privateKey: keyOf(1_000 + i),
          hash: paymentDigest(separator, payment),
          to: 'hex',
        })
        const parsed = parseSignature(signature)
        if (parsed.outcome !== 'ok') throw new Error(parsed.reason)
        return { ...payment, signature: parsed.compact }
      })
      const anchor: Hex = `0x${'ab'.repeat(32)}`
      const batch = { token: token.address, scale: 1n, anchor, payments: await Promise.all(payments), cancels: [] }
      return settle(encodeBatch(batch))
    }

    await settleOneEach(1n)
    const { gasUsed, event } = await settleOneEach(2n)
    expect(event.results, 'all took effect').toBe(`0x${'ff'.repeat(37)}0f`)
    const perPayment = Number(gasUsed) / paymentCount
    console.log(`${paymentCount} payers, ${payeeCount} payees: ${perPayment.toFixed(0)} gas per payment`)
    expect(perPayment).toBeLessThanOrEqual(gasMax)
  })
})

function keyOf(number: number): Hex {
  return `0x${number.toString(16).padStart(64, '0')}`
}
