import { checkAcknowledgement } from '../acknowledgement.ts'
import type { Facts } from '../facts.ts'
import type { AcknowledgementJson } from '../intent.ts'
import type { SignedPayment } from '../wallet.ts'

/** What ICE owes the holder of this acknowledgement, in a sentence; asks nobody, so it works when ICE is gone. */
export async function tellPromise(acknowledgement: AcknowledgementJson, signed: SignedPayment, facts: Facts) {
  const { chainId, paymentDigest, payment } = signed
  const payer = { chainId, digest: paymentDigest, orderRef: payment.orderRef, facts }
  const checked = await checkAcknowledgement(acknowledgement, payer)
  if (checked.outcome === 'unproven') return `worth nothing: ${checked.detail}`
  const { guarantee, settleBy } = checked
  if (guarantee === 'optimistic') return 'ICE will try to settle it; wait until it is final'
  return `settled by ${new Date(Number(settleBy) * 1000).toISOString()}, or by anybody who calls settleOverdue after it`
}
