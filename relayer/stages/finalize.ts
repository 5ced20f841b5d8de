import type { Address, Hex } from 'viem'
import { finalizedNumber } from '../../core/finality.ts'
import { deposit, type LedgerEntry, payout, withdrawal } from '../../core/ledger.ts'
import type { Block, VaultEvent } from '../../core/ports/chain.ts'
import type { FinalBatch, MoneyEntry, RefreshedAccount } from '../../core/ports/finalization.ts'
import type { Stage, StageContext } from '../stage.ts'

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
  if (target === view.finalizedNumber) return []
  const upTo = target < view.finalizedNumber + blockCountMax ? target : view.finalizedNumber + blockCountMax

  const blocks = await finalization.storedBlocks(config.chainId, view.finalizedNumber, upTo)
  const block = blocks.at(-1)
  if (block === undefined || block.number !== upTo) return [{ stage: 'confirm' }]
  const theirs = await chain.blockByNumber(block.number)
  if (theirs.outcome === 'absent' || theirs.value.hash !== block.hash) return [{ stage: 'confirm' }]

  const events = (await Promise.all(blocks.map((each) => chain.events(each)))).flat()
  const batches = await finalization.batches(config.chainId, config.vault, upTo)
  const outside = await finalization.outsidePayers(config.chainId, config.vault, upTo)
  const accounts = await readAccounts(context, block, [...touched(events, batches), ...outside])
  const credited = creditedIn(events)
  const outcome = await finalization.apply(config.chainId, config.vault, view, {
    block,
    batches,
    entries: [...moved(events, credited), ...paidOut(batches, credited)],
    accounts,
  })
  if (outcome === 'moved') return [{ stage: 'finalize' }]
  for (const { id, state } of batches)
    log.info({ batch: id, block: block.number }, state === 'included' ? 'finalized' : 'dissolved')
  return upTo < target ? [{ stage: 'finalize' }] : []
}

type Touched = { readonly payer: Address; readonly token: Address }

function touched(events: readonly VaultEvent[], batches: readonly FinalBatch[]): readonly Touched[] {
  return [
    ...events.flatMap((event) => ('payer' in event ? [{ payer: event.payer, token: event.token }] : [])),
    ...batches.flatMap(({ payers, token }) => payers.map((payer) => ({ payer, token }))),
  ]
}

async function readAccounts(
  { chain }: StageContext,
  block: Block,
  all: readonly Touched[],
): Promise<readonly RefreshedAccount[]> {
  const byToken = new Map<Address, Set<Address>>()
  for (const { payer, token } of all) byToken.set(token, (byToken.get(token) ?? new Set()).add(payer))
  const refreshed: RefreshedAccount[] = []
  for (const [token, set] of byToken) {
    const payers = [...set]
    for (let from = 0; from < payers.length; from += accountsPerReadMax) {
      const some = payers.slice(from, from + accountsPerReadMax)
      const states = await chain.accounts(token, some, block.hash)
      refreshed.push(
        ...some.flatMap((payer, index) => {
          const state = states[index]
          return state === undefined ? [] : [{ payer, token, state }]
        }),
      )
    }
  }
  return refreshed
}

/** Payees whom the token refused in a tx: their money stayed in the vault as a credit. */
function creditedIn(events: readonly VaultEvent[]): ReadonlySet<string> {
  return new Set(events.flatMap((event) => (event.name === 'Credited' ? [payeeIn(event.txHash, event.payee)] : [])))
}
const payeeIn = (txHash: Hex, payee: Address): string => `${txHash}:${payee}`

/** Tokens that came into or left the vault other than by our batches. */
function moved(events: readonly VaultEvent[], credited: ReadonlySet<string>): readonly MoneyEntry[] {
  return events.flatMap((event): readonly MoneyEntry[] => {
    const entry = entryOf(event, credited)
    if (entry === undefined) return []
    const { token, blockNumber, txHash, logIndex } = event
    return [{ ...entry, token, blockNumber, txHash, logIndex, batchId: undefined }]
  })
}

function entryOf(event: VaultEvent, credited: ReadonlySet<string>): LedgerEntry | undefined {
  if (event.name === 'Deposited') return deposit(event)
  if (event.name === 'Withdrawn') return withdrawal(event)
  if (event.name === 'Claimed') return payout(event)
  if (event.name === 'OverdueSettled' && !credited.has(payeeIn(event.txHash, event.payee))) return payout(event)
  return undefined
}

/** What a final batch sent its payees. */
function paidOut(batches: readonly FinalBatch[], credited: ReadonlySet<string>): readonly MoneyEntry[] {
  return batches.flatMap(({ id, token, txHash, blockNumber, payees }) =>
    payees
      .filter(({ payee }) => !credited.has(payeeIn(txHash, payee)))
      .map(({ payee, total }) => ({
        ...payout({ payee, amount: total }),
        token,
        blockNumber,
        txHash,
        logIndex: undefined,
        batchId: id,
      })),
  )
}
