import { localAccounts } from '../local/accounts.ts'
import { bodyOf } from '../local/client.ts'
import type { Payer, Planned, Scene } from './scene.ts'
import type { StepLines } from './terminal.ts'

const paymentsPerPayer = 3

/** Three merchants register what they want to be paid: three orders for each wallet. The last wallet cannot afford its last one. */
export async function order(
  { system, merchant, token, show }: Scene,
  payers: readonly Payer[],
  { tell }: StepLines,
): Promise<readonly Planned[]> {
  const { chainId } = system.deployment
  const cent = 10n ** BigInt(token.decimals - 2)
  const planned = await Promise.all(
    Array.from({ length: payers.length * paymentsPerPayer }, async (_, index): Promise<Planned> => {
      const isUnaffordable = index === payers.length * paymentsPerPayer - 1
      const isTampered = index === 7
      const payer = payers[index % payers.length]
      const payee = localAccounts.merchants[index % localAccounts.merchants.length]
      if (payer === undefined || payee === undefined) throw new Error('the story has no payers or no merchants')
      const amount = isUnaffordable ? payer.deposited + cent : cent * BigInt(199 + 37 * index)
      const created = await merchant.post<{ id: string }>('/v1/orders', {
        chainId,
        payee: payee.address,
        token: token.address,
        amount: `${amount}`,
        reference: `invoice ${1_001 + index}`,
      })
      const flaw = isUnaffordable ? 'insufficient_balance' : isTampered ? 'signature_mismatch' : undefined
      return { payer: payer.account, payee: payee.address, amount, orderId: bodyOf(created).id, flaw }
    }),
  )
  const total = planned.reduce((sum, { amount }) => sum + amount, 0n)
  tell(`${localAccounts.merchants.length} merchants register ${planned.length} orders over ${show(total)}`)
  return planned
}
