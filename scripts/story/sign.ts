import { hashTypedData } from 'viem'
import { bodyOf } from '../local/client.ts'
import { median, type Planned, type Scene, type Signed } from './scene.ts'
import type { StepLines } from './terminal.ts'

type Prepared = {
  readonly intent: { readonly amount: string }
  readonly typedData: Parameters<typeof hashTypedData>[0]
  readonly digest: string
}

/** ICE hands out the exact typed data; the wallet only signs what it shows. */
export async function sign(
  { system, wallet }: Scene,
  planned: readonly Planned[],
  { tell }: StepLines,
): Promise<readonly Signed[]> {
  const { chainId } = system.deployment
  const millis: number[] = []
  const signed = await Promise.all(
    planned.map(async (plan): Promise<Signed> => {
      const answer = await wallet.post<Prepared>('/v1/intents/prepare', {
        chainId,
        payer: plan.payer.address,
        order: plan.orderId,
      })
      millis.push(answer.millis)
      const { intent, typedData, digest } = bodyOf(answer)
      if (hashTypedData(typedData) !== digest)
        throw new Error(`the typed data of ${plan.orderId} does not hash to its digest`)
      const signature = await plan.payer.signTypedData(typedData)
      // Somebody between wallet and ICE changes the nonce after the user has signed.
      const sent = plan.flaw === 'signature_mismatch' ? { ...intent, nonce: '63' } : intent
      return { ...plan, intent: sent, signature }
    }),
  )
  tell(
    `${signed.length} payments prepared (${median(millis).toFixed(0)} ms in the middle) and signed with EIP-712; one is tampered with on its way`,
  )
  return signed
}
