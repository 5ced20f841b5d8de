import { size } from 'viem'
import { findToken } from '../core/config.ts'
import type { BatchKind, WaitingCancel, WaitingPayment } from '../core/ports/batching.ts'
import type { Simulation } from '../core/ports/chain.ts'
import { decodeResults } from '../core/protocol/packed.ts'
import { whyRefused } from '../core/refused.ts'
import { type Draft, type Packed, pack, runsIn } from './draft.ts'
import type { StageContext } from './stage.ts'

/** Enough to halve the largest batch down to one record, and to drop refused records a few times on the way. */
const roundsMax = 24
/** Gas on top of the simulated figure: touching new slots may cost more in the block than it did in the simulation. */
const gasHeadroomPercent = 20n
/** And per payee: one who empties its wallet, or is blocked, meanwhile makes its payout that much dearer. */
const gasPerPayee = 25_000n
/** And per pull: one whose wallet was emptied meanwhile writes its nonce and takes it back, each time at the price of a new slot. */
const gasPerPull = 30_000n
/** First delay of a refused record; it doubles with each refusal. */
const retryAfterMillis = 3_000
/** Reasons that hold for every record of every batch: no smaller batch would fare better. */
const saysAllOfIt = /^(IsPaused|NotRelayer|TokenUnknown)/

export type Fitted =
  | ({ readonly outcome: 'fits'; readonly gasLimit: bigint } & Draft & Packed)
  | { readonly outcome: 'empty' }
  | { readonly outcome: 'unsettleable'; readonly reason: string }

/**
 * Simulates a draft at the head until all of it settles: drops what the vault would refuse, halves what is too much for
 * one tx, and closes in on a record that would revert the whole, so that one bad record never holds up the others.
 */
export async function fitToChain(context: StageContext, draft: Draft): Promise<Fitted> {
  const { chain, config, signers } = context
  // One that may take it: the vault may no longer know a lane that retires.
  const signer = signers.find(({ isRetiring }) => !isRetiring)
  const scale = findToken(config, draft.token)?.scale
  if (signer === undefined || scale === undefined) {
    return { outcome: 'unsettleable', reason: `no signer or no scale for ${draft.token}` }
  }

  let { payments, cancels } = draft
  for (let round = 0; round < roundsMax && payments.length + cancels.length > 0; round++) {
    const packed = pack({ ...draft, payments, cancels }, scale)
    const { payload } = packed
    const bytes = size(payload)
    const simulation: Simulation =
      bytes > config.batch.bytesMax
        ? { outcome: 'too_big', reason: `${bytes} bytes` }
        : await chain.simulate({ from: signer.address, payload })

    if (simulation.outcome === 'ran') {
      const results = decodeResults(simulation.results, packed.bitCount)
      const refused = payments.filter((_, index) => results[packed.bits[index] ?? 0] === false)
      const refusedCancels = cancels.filter((_, index) => results[payments.length + index] === false)
      if (refused.length + refusedCancels.length > 0) {
        const shorter = draft.mode === 'chained' ? shortened(refused) : []
        const single = refused.filter(({ payer }) => !shorter.some((kept) => kept.payer === payer))
        await setAside(context, draft, single, refusedCancels)
        payments = payments.filter((payment) => !refused.includes(payment) || shorter.includes(payment))
        cancels = cancels.filter((cancel) => !refusedCancels.includes(cancel))
        continue
      }
      const payeeCount = new Set(payments.map(({ payee }) => payee)).size
      const gasOfPulls = draft.mode === 'pull' ? gasPerPull * BigInt(payments.length) : 0n
      const gasOfPayees = gasPerPayee * BigInt(payeeCount)
      const gasLimit = (simulation.gasUsed * (100n + gasHeadroomPercent)) / 100n + gasOfPayees + gasOfPulls
      if (gasLimit <= config.batch.gasMax) return { outcome: 'fits', ...draft, ...packed, payments, cancels, gasLimit }
    } else if (saysAllOfIt.test(simulation.reason)) {
      return { outcome: 'unsettleable', reason: simulation.reason }
    } else if (payments.length + cancels.length === 1) {
      context.log.error(
        { reason: simulation.reason, intent: (payments[0] ?? cancels[0])?.id },
        'one record fails a whole tx',
      )
      await setAside(context, draft, payments, cancels)
      return { outcome: 'empty' }
    }
    payments = half(payments)
    cancels = payments.length > 0 ? cancels : half(cancels)
  }
  return { outcome: 'empty' }
}

/** A refused run says nothing of which payment is at fault: its older half may pass, down to the first payment alone. */
function shortened(refused: readonly WaitingPayment[]): readonly WaitingPayment[] {
  return runsIn(refused).flatMap((run) => half(run))
}

/** The older half, at least one; none of one, so that the other kind of record gets its turn. */
function half<Record>(records: readonly Record[]): readonly Record[] {
  return records.slice(0, Math.floor(records.length / 2))
}

/** Keeps refused records alive but apart, with the reason: only the chain, at finality, says that they are dead. */
async function setAside(
  { chain, config, batching, log }: StageContext,
  of: BatchKind,
  payments: readonly WaitingPayment[],
  cancels: readonly WaitingCancel[],
): Promise<void> {
  if (cancels.length > 0) await batching.refuseCancels(cancels.map(({ id }) => id))
  if (payments.length === 0) return
  const head = await chain.head()
  const payers = payments.map(({ payer }) => payer)
  const accounts = await chain.accounts(of, payers, head.hash)
  const refusals = payments.map((payment, index) => {
    const account = accounts[index]
    const facts = { payment, taking: payment.taking, relayerId: config.relayerId, blockSeconds: head.at }
    const reason = account === undefined ? 'record_refused' : whyRefused({ ...facts, account })
    return { id: payment.id, reason, retryAfterMillis }
  })
  await batching.refuse(refusals)
  for (const { id, reason } of refusals) log.warn({ intent: id, reason }, 'the vault would refuse this payment now')
}
