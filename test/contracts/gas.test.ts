import type { Address, Hex } from 'viem'
import { privateKeyToAccount, sign } from 'viem/accounts'
import { describe, expect, test } from 'vitest'
import { encodeBatch, type SignedPayment } from '../../core/protocol/packed.ts'
import { parseSignature } from '../../core/protocol/signature.ts'
import { domainOf, domainSeparator, paymentDigest } from '../../core/protocol/typed-data.ts'
import { deployVault } from './deployment.ts'

const chainId = 31337
const at = 1_800_000_000
const paymentCount = 300

/** Receipt gas per payment with 300 payers. A gate: raise a bound only with a reason. */
const bounds = [
  { payeeCount: 1, gasMax: 11_800 },
  { payeeCount: 10, gasMax: 12_100 },
]

describe('gas per payment in steady state, 300 payers', () => {
  test.each(bounds)(
    '$payeeCount payees: at most $gasMax',
    async ({ payeeCount, gasMax }) => {
      const { client, sender, token, vault, deposit } = await deployVault({ chainId, at })
      const separator = domainSeparator(domainOf({ chainId, vault: vault.address }))
      const keys = Array.from({ length: paymentCount }, (_, i) => keyOf(1_000 + i))
      const payees = Array.from({ length: payeeCount }, (_, i) => privateKeyToAccount(keyOf(9_000 + i)).address)
      for (const key of keys) await deposit(privateKeyToAccount(key).address, 100_000_000n)

      async function settle(nonce: bigint): Promise<bigint> {
        const payments = await Promise.all(
          keys.map(async (key, i): Promise<SignedPayment> => {
            const payment = {
              payer: privateKeyToAccount(key).address,
              payee: payees[i % payeeCount] as Address,
              token: token.address,
              amount: 1_000_000n + BigInt(i),
              nonce,
              deadline: BigInt(at + 3_600 + i),
              orderRef: '0x1122334455667788',
            } as const
            const full = await sign({ privateKey: key, hash: paymentDigest(separator, payment), to: 'hex' })
            const parsed = parseSignature(full)
            if (parsed.outcome !== 'ok') throw new Error(parsed.reason)
            return { ...payment, signature: parsed.compact }
          }),
        )
        const anchor: Hex = `0x${'ab'.repeat(32)}`
        const blob = encodeBatch({ token: token.address, scale: 1n, anchor, payments, cancels: [] })
        const hash = await vault.write.settle([blob], { account: sender.account, gas: 16_000_000n })
        const receipt = await client.waitForTransactionReceipt({ hash })
        const [event] = await vault.getEvents.BatchSettled({}, { blockHash: receipt.blockHash })
        expect(event?.args.results, 'all took effect').toBe(`0x${'ff'.repeat(37)}0f`)
        return receipt.gasUsed
      }

      await settle(1n)
      const perPayment = Number(await settle(2n)) / paymentCount
      console.log(`${paymentCount} payers, ${payeeCount} payees: ${perPayment.toFixed(0)} gas per payment`)
      expect(perPayment).toBeLessThanOrEqual(gasMax)
    },
    120_000,
  )
})

function keyOf(number: number): Hex {
  return `0x${number.toString(16).padStart(64, '0')}`
}
