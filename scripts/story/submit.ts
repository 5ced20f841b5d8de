import { type Acknowledged, median, quantile, type Scene, type Signed } from './scene.ts'
import type { StepLines } from './terminal.ts'

type Receipt = {
  readonly id: string
  readonly guarantee: string
  readonly acknowledgement: { readonly settleBy: string }
}

/** TP's backend submits; ICE answers with a signed acknowledgement that is already on disk, or with a refusal. */
export async function submit(
  { wallet }: Scene,
  signed: readonly Signed[],
  { tell }: StepLines,
): Promise<readonly Acknowledged[]> {
  const send = async (payment: Signed) => {
    const { intent, signature, orderId } = payment
    return { payment, answer: await wallet.post<Receipt>('/v1/intents', { intent, signature, order: orderId }) }
  }
  const [first, ...others] = signed
  if (first === undefined) return []
  const alone = await send(first)
  const answers = [alone, ...(await Promise.all(others.map(send)))]
  const acknowledged: (Acknowledged & { readonly guarantee: string; readonly millis: number })[] = []
  const refused: string[] = []
  for (const { payment, answer } of answers) {
    if (answer.isOk && payment.flaw === undefined) {
      acknowledged.push({ ...payment, id: answer.body.id, guarantee: answer.body.guarantee, millis: answer.millis })
    } else if (!answer.isOk && answer.problem.code === payment.flaw) {
      refused.push(`${answer.problem.code} (${answer.problem.detail})`)
    } else {
      const found = answer.isOk ? 'accepted' : `${answer.problem.code}: ${answer.problem.detail}`
      throw new Error(`payment for ${payment.orderId} should be ${payment.flaw ?? 'accepted'} and was ${found}`)
    }
  }
  const millis = acknowledged.slice(1).map((each) => each.millis)
  const firm = acknowledged.filter(({ guarantee }) => guarantee === 'collateralised').length
  const tail = `${median(millis).toFixed(0)} ms (median), ${quantile(millis, 0.99).toFixed(0)} ms (p99)`
  tell(
    `${acknowledged.length} acknowledged: one alone in ${alone.answer.millis.toFixed(0)} ms, the others at the same moment in ${tail}`,
  )
  tell(`${firm} of them collateralised: signed by ICE, on disk, and enforceable on chain by anyone after ten minutes`)
  for (const reason of refused) tell(`1 refused: ${reason}`)
  return acknowledged
}
