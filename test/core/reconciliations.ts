import { type Address, type Hex, padHex, toHex } from 'viem'
import { deposit, type LedgerEntry, payerAccount, payout, settled, withdrawal } from '../../core/ledger.ts'
import type { Mode } from '../../core/protocol/taking.ts'
import type { ChainMove, ChainPayment, LedgerLine, RangeFacts } from '../../core/range-facts.ts'
import { balanceKey, runningBalances } from '../../core/totals.ts'
import { addressOf, dollar, longDollar } from './payments.ts'

export const hashOf = (number: number): Hex => padHex(toHex(number), { size: 32 })

/** What happens on chain, one tx each. Parties are small numbers. Mode independent unless said otherwise. */
export type Step = { readonly token: Address; readonly mode?: Mode } & (
  | { readonly what: 'deposit' | 'withdrawal'; readonly payer: number; readonly amount: bigint }
  | { readonly what: 'claim'; readonly payee: number; readonly amount: bigint }
  | {
      readonly what: 'settlement'
      /** False: payments that were never submitted to us. */
      readonly isOurs: boolean
      readonly payments: readonly { readonly payer: number; readonly payee: number; readonly amount: bigint }[]
      readonly isCredited: boolean
    }
)

type Told = { readonly [Source in 'moves' | 'payments' | 'credits']: RangeFacts['chain'][Source][number][] } & {
  readonly lines: LedgerLine[]
  readonly known: RangeFacts['intents']['known'][number][]
  readonly finalized: RangeFacts['intents']['finalized'][number][]
}

/** What every source tells of these steps when nothing is wrong. `before`: what the vault held of each token. */
export function history(steps: readonly Step[], before: bigint): RangeFacts {
  const told: Told = { moves: [], payments: [], credits: [], lines: [], known: [], finalized: [] }
  for (const [index, step] of steps.entries()) tell(told, step, hashOf(index), index)
  const tokens = [dollar, longDollar]
  const balancesBefore = tokens.flatMap((token) => [
    { token, account: 'vault', amount: before },
    { token, account: `payer:${addressOf(1)}`, amount: -before },
  ])
  const ledger = { lines: told.lines, balancesBefore }
  const balances = runningBalances(ledger)
  const balanceOf = (token: Address, account: string) => balances.get(balanceKey(token, account)) ?? 0n
  const { moves, payments, credits, known, finalized } = told
  return {
    tokens,
    heldBefore: new Map(tokens.map((token) => [token, before])),
    chain: {
      ...{ moves, payments, credits, settlements: [], unread: [] },
      holdings: tokens.map((token) => ({ token, amount: balanceOf(token, 'vault') })),
      accounts: tokens.flatMap((token) =>
        (['independent', 'chained'] as const).flatMap((mode) =>
          [1, 2, 3, 4].map((number) => ({
            ...{ payer: addressOf(number), token, mode },
            balance: -balanceOf(token, payerAccount(addressOf(number), mode)),
          })),
        ),
      ),
    },
    ledger,
    intents: {
      ...{ known, finalized, reservations: [] },
      events: finalized.map(({ id }) => ({ intentId: id, sequences: [1, 2, 3, 4, 5], lastState: 'finalized' })),
    },
  }
}

function tell(told: Told, step: Step, txHash: Hex, index: number): void {
  const line = (entry: LedgerEntry, logIndex?: number, intentId?: string): LedgerLine => ({
    ...{ ...entry, token: step.token, txHash, logIndex, intentId },
  })
  const { token, mode = 'independent' } = step
  if (step.what !== 'settlement') {
    const account = addressOf(step.what === 'claim' ? step.payee : step.payer)
    const entry = { deposit, withdrawal, claim: payout }[step.what]({
      payer: account,
      payee: account,
      amount: step.amount,
      mode,
    })
    const move: ChainMove = { name: step.what, account, mode, token, amount: step.amount, txHash, logIndex: 0 }
    told.moves.push(move)
    told.lines.push(line(entry, 0))
    return
  }
  const payments = step.payments.map(
    ({ payer, payee, amount }, at): ChainPayment => ({
      ...{ payer: addressOf(payer), payee: addressOf(payee), amount, mode, token, txHash },
      digest: hashOf(1_000 + index * 10 + at),
    }),
  )
  told.payments.push(...payments)
  for (const payment of payments) {
    const id = `pi_${payment.digest}`
    told.lines.push(...settled(payment).map((entry) => line(entry, undefined, step.isOurs ? id : undefined)))
    if (mode === 'pull') {
      told.moves.push({ ...payment, name: 'deposit', account: payment.payer, logIndex: undefined })
    }
    if (!step.isOurs) continue
    told.known.push({ digest: payment.digest, id })
    told.finalized.push({ ...payment, id })
  }
  const kept = step.isCredited ? payments[0]?.payee : undefined
  for (const payee of new Set(payments.map((payment) => payment.payee))) {
    const amount = payments.reduce((sum, payment) => sum + (payment.payee === payee ? payment.amount : 0n), 0n)
    if (payee === kept) told.credits.push({ payee, token, amount, txHash })
    else told.lines.push(line(payout({ payee, amount })))
  }
}
