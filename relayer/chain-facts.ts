import { type Address, checksumAddress, type Hex } from 'viem'
import { findToken } from '../core/config.ts'
import { type Block, ChainUnavailableError, type VaultEvent } from '../core/ports/chain.ts'
import type { BlockRange } from '../core/ports/reconciliation.ts'
import { decodeBatch, decodeResults } from '../core/protocol/packed.ts'
import { settlePayloadOf } from '../core/protocol/settle-calldata.ts'
import { domainOf, domainSeparator, paymentDigest } from '../core/protocol/typed-data.ts'
import type { ChainFacts, ChainMove, ChainPayment } from '../core/range-facts.ts'
import { isEmpty, ourOverdue } from './settling.ts'
import type { StageContext } from './stage.ts'

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
    moves: events.flatMap(moveOf),
    credits: events.flatMap((event) => (event.name === 'Credited' ? [event] : [])),
    holdings: tokens.map((token, index) => ({ token, amount: amounts[index] ?? 0n })),
    accounts: await readAccounts(context, touched(events, settled.payments), atBlock),
  }
}

const moveNames = { Deposited: 'deposit', Withdrawn: 'withdrawal', Claimed: 'claim' } as const

function moveOf(event: VaultEvent): readonly ChainMove[] {
  if (event.name !== 'Deposited' && event.name !== 'Withdrawn' && event.name !== 'Claimed') return []
  const account = event.name === 'Claimed' ? event.payee : event.payer
  const { token, amount, txHash, logIndex } = event
  return [{ name: moveNames[event.name], account, token, amount, txHash, logIndex }]
}

type Settled = Pick<ChainFacts, 'payments' | 'settlements' | 'unread'>

async function readSettlements(context: StageContext, events: readonly VaultEvent[]): Promise<Settled> {
  const payments: ChainPayment[] = []
  const settlements: Settled['settlements'][number][] = []
  const unread: Settled['unread'][number][] = []
  const overdue = await ourOverdue(context, events)
  for (const event of events) {
    if (event.name === 'OverdueSettled') {
      payments.push(event)
      const { digest, txHash, token, amount } = event
      if (overdue.has(digest)) settlements.push({ txHash, token, count: 1, amount })
    }
    if (event.name !== 'BatchSettled' || isEmpty(event)) continue
    const { txHash, token, relayerId } = event
    const batch = relayerId === context.config.relayerId ? await readBatch(context, event) : undefined
    if (batch === undefined) unread.push({ txHash, token, relayerId })
    else {
      payments.push(...batch)
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

/** The payments of a batch that took effect, from its calldata; undefined if that is no batch. */
async function readBatch(
  { chain, config }: StageContext,
  event: VaultEvent & { readonly name: 'BatchSettled' },
): Promise<readonly ChainPayment[] | undefined> {
  const { txHash, token } = event
  const transaction = await chain.transaction(txHash)
  if (transaction.outcome === 'absent') throw new ChainUnavailableError(`the tx ${txHash}, whose event it just showed`)
  const payload = settlePayloadOf(transaction.value.input)
  const scale = findToken(config, token)?.scale
  if (payload === undefined || scale === undefined) return undefined
  const { payments } = decodeBatch(payload, scale)
  const results = decodeResults(event.results, event.paymentCount + event.cancelCount)
  const separator = domainSeparator(domainOf(config))
  return payments
    .filter((_, index) => results[index] === true)
    .map((payment) => ({
      digest: paymentDigest(separator, payment),
      payer: checksumAddress(payment.payer),
      payee: checksumAddress(payment.payee),
      ...{ token, amount: payment.amount, txHash },
    }))
}

function touched(
  events: readonly VaultEvent[],
  payments: readonly ChainPayment[],
): ReadonlyMap<Address, ReadonlySet<Address>> {
  const payers = new Map<Address, Set<Address>>()
  const named = events.flatMap((event) => ('payer' in event ? [event] : []))
  for (const { payer, token } of [...named, ...payments]) {
    payers.set(token, (payers.get(token) ?? new Set()).add(payer))
  }
  return payers
}

async function readAccounts(
  { chain }: StageContext,
  touchedPayers: ReadonlyMap<Address, ReadonlySet<Address>>,
  atBlock: Hex,
): Promise<ChainFacts['accounts']> {
  const read = [...touchedPayers].map(async ([token, set]) => {
    const payers = [...set]
    const states = await chain.accounts(token, payers, atBlock)
    return payers.flatMap((payer, index) => {
      const state = states[index]
      return state === undefined ? [] : [{ payer, token, balance: state.balance }]
    })
  })
  return (await Promise.all(read)).flat()
}
