import type { Address, Hex } from 'viem'
import { findToken } from '../../core/config.ts'
import { finalizedNumber } from '../../core/finality.ts'
import { deposit, type LedgerEntry, payout, settled, withdrawal } from '../../core/ledger.ts'
import type { ChainViewRecord } from '../../core/ports/accounts.ts'
import { type AccountKey, type Block, ChainUnavailableError, type VaultEvent } from '../../core/ports/chain.ts'
import type { IncludedBatch } from '../../core/ports/confirmation.ts'
import type { FinalBatch, MoneyEntry, RefreshedAccount } from '../../core/ports/finalization.ts'
import { type OutsidePayment, readOutside } from '../outside.ts'
import { settlingTxs } from '../settling.ts'
import type { Next, Stage, StageContext } from '../stage.ts'
import { groupsOf, touchedBy } from '../touched.ts'

/** Blocks per step: their events are asked for at the same time. */
const blockCountMax = 50n
/** Accounts per read: keeps one answer under a node's usual limits. */
const accountsPerReadMax = 200

/** included → finalized: moves the books to the next final block, money and states together. */
export const finalize: Stage = async (context) => {
  const { chain, config, finalization, log } = context
  const view = await finalization.view(config.chainId, config.vault)
  if (view === undefined) return [{ stage: 'confirm' }]

  const tag = config.finality.rule === 'tag' ? await chain.finalized() : undefined
  const target = finalizedNumber({
    rule: config.finality,
    head: view.headNumber,
    tagged: tag?.outcome === 'found' ? tag.value.number : undefined,
    previous: view.finalizedNumber,
  })
  if (target === view.finalizedNumber) {
    return (await finalization.endDead(config.chainId, config.vault)) ? [{ stage: 'finalize' }] : []
  }
  const upTo = target < view.finalizedNumber + blockCountMax ? target : view.finalizedNumber + blockCountMax

  const blocks = await finalization.storedBlocks(config.chainId, config.vault, view.finalizedNumber, upTo)
  const block = blocks.at(-1)
  if (block === undefined || block.number !== upTo) return [{ stage: 'confirm' }]
  const theirs = await chain.blockByNumber(block.number)
  if (theirs.outcome === 'absent' || theirs.value.hash !== block.hash) return [{ stage: 'confirm' }]

  const all = (await Promise.all(blocks.map((each) => chain.events(each)))).flat()
  // Of a token that we do not settle nothing is in our books.
  const events = all.filter((event) => findToken(config, event.token) !== undefined)
  const batches = await finalization.batches(config.chainId, config.vault, upTo)
  const overlooked = await findOverlooked(context, blocks, events, batches)
  if (overlooked.length > 0) return includeLate(context, view, overlooked)
  const { payments: outside, touched: outsiders } = await readOutside(
    context,
    events,
    new Set(batches.map(({ txHash }) => txHash)),
  )
  const unknown = await finalization.unknown(outside.map(({ digest }) => digest))
  const accounts = await readAccounts(context, block, [...touchedBy(events), ...payersIn(batches), ...outsiders])
  const outcome = await finalization.apply(config.chainId, config.vault, view, {
    block,
    batches,
    outside,
    settling: await settlingTxs(context, events, batches, outside),
    entries: [
      ...moved(events),
      ...outside
        .filter(({ digest }) => unknown.has(digest))
        .flatMap((payment) => settled(payment).map((entry) => entryFor(entry, payment))),
      ...paidOut(batches, outside, events),
    ],
    accounts,
  })
  if (outcome === 'moved') return [{ stage: 'finalize' }]
  for (const { id, state } of batches)
    log.info({ batch: id, block: block.number }, state === 'included' ? 'finalized' : 'dissolved')
  return [{ stage: 'record' }, { stage: 'reconcile' }, ...(upTo < target ? [{ stage: 'finalize' } as const] : [])]
}

/**
 * Books and chain must name the same batches before money moves. @returns our batches that confirm did not see.
 * @throws ChainUnavailableError if the books hold an inclusion that the chain does not show: a node tells less than it knew.
 */
async function findOverlooked(
  { chain, config, confirmation }: StageContext,
  blocks: readonly Block[],
  events: readonly VaultEvent[],
  batches: readonly FinalBatch[],
): Promise<readonly IncludedBatch[]> {
  const settled = new Map(
    events.flatMap((event) =>
      event.name === 'BatchSettled' && event.relayerId === config.relayerId ? [[event.txHash, event] as const] : [],
    ),
  )
  for (const { id, state, txHash, results } of batches) {
    if (state === 'included' && settled.get(txHash)?.results !== results) {
      throw new ChainUnavailableError(`the event of ${txHash} with the results of batch ${id}`)
    }
    settled.delete(txHash)
  }
  const ours = await confirmation.attemptsByTx([...settled.keys()])
  return Promise.all(
    ours.map(async (attempt): Promise<IncludedBatch> => {
      const event = settled.get(attempt.txHash)
      const block = blocks.find(({ hash }) => hash === event?.blockHash)
      const receipt = await chain.receipt(attempt.txHash)
      if (event === undefined || block === undefined || receipt.outcome === 'absent') {
        throw new ChainUnavailableError(`the receipt of ${attempt.txHash}, whose event it just showed`)
      }
      return { ...attempt, block, results: event.results, gasUsed: receipt.value.gasUsed }
    }),
  )
}

async function includeLate(
  { config, confirmation, log }: StageContext,
  view: ChainViewRecord,
  included: readonly IncludedBatch[],
): Promise<readonly Next[]> {
  const head = await confirmation.storedBlock(config.chainId, config.vault, view.headNumber)
  if (head === undefined) return [{ stage: 'confirm' }]
  for (const { batchId, txHash } of included)
    log.error({ batch: batchId, txHash }, 'confirm overlooked this batch: included now')
  const nothing = { blocks: [], reverted: [], outside: [], isPaused: view.isPaused }
  await confirmation.apply(config.chainId, config.vault, view, {
    ...nothing,
    commonAncestor: view.headNumber,
    head,
    included,
  })
  return [{ stage: 'finalize' }]
}

function payersIn(batches: readonly FinalBatch[]): readonly AccountKey[] {
  return batches.flatMap(({ payers, token, mode }) => payers.map((payer) => ({ payer, token, mode })))
}

async function readAccounts(
  { chain }: StageContext,
  block: Block,
  all: readonly AccountKey[],
): Promise<readonly RefreshedAccount[]> {
  const refreshed: RefreshedAccount[] = []
  for (const { of, payers } of groupsOf(all)) {
    for (let from = 0; from < payers.length; from += accountsPerReadMax) {
      const some = payers.slice(from, from + accountsPerReadMax)
      const states = await chain.accounts(of, some, block.hash)
      refreshed.push(
        ...some.flatMap((payer, index) => {
          const state = states[index]
          return state === undefined ? [] : [{ ...of, payer, state }]
        }),
      )
    }
  }
  return refreshed
}

/** Tokens that came into or left the vault other than by a payment. */
function moved(events: readonly VaultEvent[]): readonly MoneyEntry[] {
  return events.flatMap((event): readonly MoneyEntry[] => {
    if (event.name === 'Deposited') return [entryFor(deposit(event), event)]
    if (event.name === 'Withdrawn') return [entryFor(withdrawal(event), event)]
    if (event.name === 'Claimed') return [entryFor(payout(event), event)]
    return []
  })
}

type Payout = Pick<FinalBatch, 'token' | 'txHash' | 'blockNumber'> & {
  readonly payee: Address
  readonly amount: bigint
  readonly batchId: string | undefined
}

/**
 * What settling txs sent to payees: all that was paid to each, less what the vault kept as a credit because the token
 * refused the payee or the sum was too small to send. One tx may settle, credit and pay the same payee several times.
 */
function paidOut(
  batches: readonly FinalBatch[],
  outside: readonly OutsidePayment[],
  events: readonly VaultEvent[],
): readonly MoneyEntry[] {
  const payouts = new Map<string, Payout>()
  const add = (more: Payout): void => {
    const key = `${more.txHash}:${more.token}:${more.payee}`
    const sofar = payouts.get(key)
    payouts.set(key, sofar === undefined ? more : { ...sofar, amount: sofar.amount + more.amount })
  }
  for (const { id, token, txHash, blockNumber, payees } of batches) {
    for (const { payee, total } of payees) add({ token, txHash, blockNumber, payee, amount: total, batchId: id })
  }
  for (const payment of outside) add({ ...payment, batchId: undefined })
  for (const event of events) {
    if (event.name === 'Credited') add({ ...event, amount: -event.amount, batchId: undefined })
  }
  return [...payouts.values()]
    .filter(({ amount }) => amount > 0n)
    .map((each) => ({ ...entryFor(payout(each), each), batchId: each.batchId }))
}

type Place = { readonly token: Address; readonly blockNumber: bigint; readonly txHash: Hex; readonly logIndex?: number }

function entryFor(entry: LedgerEntry, { token, blockNumber, txHash, logIndex }: Place): MoneyEntry {
  return { ...entry, token, blockNumber, txHash, logIndex, batchId: undefined }
}
