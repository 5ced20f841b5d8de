import type { Hex } from 'viem'
import { findToken } from '../core/config.ts'
import { type AccountKey, type Block, ChainUnavailableError, type VaultEvent } from '../core/ports/chain.ts'
import type { BlockRange } from '../core/ports/reconciliation.ts'
import type { ChainFacts, ChainMove, ChainPayment } from '../core/range-facts.ts'
import { isSettledPayment } from '../core/settled-batch.ts'
import { type BatchEvent, isOfOurBooks, readSettled } from './mined-batch.ts'
import { isEmpty, ourOverdue } from './settling.ts'
import type { StageContext } from './stage.ts'
import { groupsOf, touchedBy } from './touched.ts'

/**
 * The vault's events of the blocks of a range, asked for anew. The blocks must join its two final blocks, each the child
 * of the one before.
 * @throws ChainUnavailableError if the node has other blocks there: it lags or follows another chain, which confirm tells.
 */
export async function readRange(
  { chain, config }: StageContext,
  { from, to }: BlockRange,
): Promise<readonly VaultEvent[]> {
  const numbers = Array.from(
    { length: Number(to.number - from.number) },
    (_, index) => from.number + BigInt(index) + 1n,
  )
  const blocks: Block[] = []
  for (const found of await Promise.all(numbers.map((number) => chain.blockByNumber(number)))) {
    const parentHash = blocks.at(-1)?.hash ?? from.hash
    if (found.outcome === 'absent' || found.value.parentHash !== parentHash) {
      throw new ChainUnavailableError(`the child of ${parentHash}, which is final`)
    }
    blocks.push(found.value)
  }
  if (blocks.at(-1)?.hash !== to.hash)
    throw new ChainUnavailableError(`block ${to.number} as ${to.hash}, which is final`)
  const all = (await Promise.all(blocks.map((block) => chain.events(block)))).flat()
  // Of a token that we do not settle nothing is in our books.
  return all.filter(({ token }) => findToken(config, token) !== undefined)
}

/** What these events and the state at the end of the range say: payments from calldata, balances from vault and token. */
export async function chainFacts(
  context: StageContext,
  events: readonly VaultEvent[],
  atBlock: Hex,
): Promise<ChainFacts> {
  const { chain, config } = context
  const settled = await readSettlements(context, events)
  const tokens = config.tokens.map(({ address }) => address)
  const amounts = await chain.holdings(tokens, atBlock)
  return {
    ...settled,
    moves: [...events.flatMap(moveOf), ...pulledFor(settled.payments)],
    credits: events.flatMap((event) => (event.name === 'Credited' ? [event] : [])),
    holdings: tokens.map((token, index) => ({ token, amount: amounts[index] ?? 0n })),
    accounts: await readBalances(context, [...touchedBy(events), ...settled.payments], atBlock),
  }
}

const moveNames = { Deposited: 'deposit', Withdrawn: 'withdrawal', Claimed: 'claim' } as const

function moveOf(event: VaultEvent): readonly ChainMove[] {
  if (event.name !== 'Deposited' && event.name !== 'Withdrawn' && event.name !== 'Claimed') return []
  const whose =
    event.name === 'Claimed'
      ? ({ account: event.payee, mode: 'independent' } as const)
      : { account: event.payer, mode: event.mode }
  const { token, amount, txHash, logIndex } = event
  return [{ name: moveNames[event.name], ...whose, token, amount, txHash, logIndex }]
}

type Settled = Pick<ChainFacts, 'payments' | 'settlements' | 'unread'>

async function readSettlements(context: StageContext, events: readonly VaultEvent[]): Promise<Settled> {
  const payments: ChainPayment[] = []
  const settlements: Settled['settlements'][number][] = []
  const unread: Settled['unread'][number][] = []
  const overdue = await ourOverdue(context, events)
  for (const event of events) {
    if (event.name === 'OverdueSettled') {
      payments.push({ ...event, mode: 'independent' })
      const { digest, txHash, token, amount } = event
      if (overdue.has(digest)) settlements.push({ txHash, token, count: 1, amount })
    }
    if (event.name !== 'BatchSettled' || isEmpty(event)) continue
    const { txHash, token, relayerId } = event
    const batch = isOfOurBooks(context, event) ? await readBatch(context, event) : undefined
    if (batch === undefined) unread.push({ txHash, token, relayerId })
    else {
      payments.push(...batch)
      // What another relayer pulled has no audit record of ours.
      if (relayerId !== context.config.relayerId) continue
      settlements.push({
        txHash,
        token,
        count: batch.length,
        amount: batch.reduce((sum, { amount }) => sum + amount, 0n),
      })
    }
  }
  return { payments, settlements, unread }
}

/** The payments of a batch that took effect; undefined if its calldata cannot be read. */
async function readBatch(context: StageContext, event: BatchEvent): Promise<readonly ChainPayment[] | undefined> {
  const { txHash, token, mode } = event
  const batch = await readSettled(context, event)
  return batch?.payments
    .filter(isSettledPayment)
    .map(({ digest, payment: { payer, payee, amount } }) => ({ digest, mode, payer, payee, token, amount, txHash }))
}

/** What the pull settler took from wallets for these payments: no event tells of it, but it paid them. */
function pulledFor(payments: readonly ChainPayment[]): readonly ChainMove[] {
  return payments
    .filter(({ mode }) => mode === 'pull')
    .map(({ payer, ...payment }) => ({ ...payment, name: 'deposit', account: payer, logIndex: undefined }))
}

/** What the contract owes these payers. The pull settler owes them nothing: it keeps no balance of theirs. */
async function readBalances(
  { chain }: StageContext,
  accounts: readonly AccountKey[],
  atBlock: Hex,
): Promise<ChainFacts['accounts']> {
  const read = groupsOf(accounts).map(async ({ of, payers }) => {
    if (of.mode === 'pull') return payers.map((payer) => ({ ...of, payer, balance: 0n }))
    const states = await chain.accounts(of, payers, atBlock)
    return payers.flatMap((payer, index) => {
      const state = states[index]
      return state === undefined ? [] : [{ ...of, payer, balance: state.balance }]
    })
  })
  return (await Promise.all(read)).flat()
}
