import { findToken } from '../../core/config.ts'
import type { ChainViewRecord } from '../../core/ports/accounts.ts'
import { type Block, ChainUnavailableError, type VaultEvent } from '../../core/ports/chain.ts'
import type { IncludedBatch, OutsideSettlement, RevertedBatch, SentAttempt } from '../../core/ports/confirmation.ts'
import { readOutside } from '../outside.ts'
import type { Next, Stage, StageContext } from '../stage.ts'

/** Blocks per run, whose events are asked for at the same time: a relayer that was away catches up in steps. */
const blockCountMax = 50n

/** submitted → included: follows the chain block by block and reads the vault's own events; a receipt is only a hint. */
export const confirm: Stage = async (context) => {
  const { chain, config, confirmation, log } = context
  const view = (await confirmation.view(config.chainId, config.vault)) ?? (await start(context))
  const head = await chain.head()
  const ancestor = await commonAncestor(context, view, head)
  if (ancestor === 'lagging') return []
  if (ancestor < view.headNumber) {
    log.warn(
      { chainId: config.chainId, ancestor, head: head.number, depth: view.headNumber - ancestor },
      'reorg: what those blocks included goes back',
    )
  }

  const fork = await confirmation.storedBlock(config.chainId, config.vault, ancestor)
  if (fork === undefined) return [{ stage: 'confirm' }]
  const blocks = await walk(context, fork, head)
  const found = await match(context, blocks)
  const tip = blocks.at(-1) ?? fork
  const outcome = await confirmation.apply(config.chainId, config.vault, view, {
    commonAncestor: ancestor,
    blocks,
    head: tip,
    ...found,
    // Behind the head it may be older than the contract, and what is not known allows no firm promise.
    isPaused: tip.number < head.number || (await chain.isPaused(tip.hash)),
  })
  if (outcome === 'moved') return [{ stage: 'confirm' }]
  for (const { batchId, block, txHash, gasUsed } of found.included) {
    log.info({ batch: batchId, block: block.number, txHash, gasUsed }, 'included')
  }
  for (const { batchId, block, txHash } of found.reverted)
    log.error({ batch: batchId, block: block.number, txHash }, 'reverted on chain')

  const next: Next[] = [{ stage: 'finalize' }]
  // What follows a chained payment could not be batched before it was there.
  if (found.included.length > 0) next.push({ stage: 'batch' })
  if (tip.number < head.number) next.push({ stage: 'confirm' })
  if (ancestor < view.headNumber) next.push({ stage: 'submit' })
  return next
}

/** From the block before the vault's first, so that the ledger knows every deposit. */
async function start({ chain, config, confirmation }: StageContext): Promise<ChainViewRecord> {
  const first = await chain.blockByNumber(config.startBlock)
  if (first.outcome === 'absent') throw new ChainUnavailableError(`block ${config.startBlock}, where the vault starts`)
  await confirmation.start(config.chainId, config.vault, first.value, false)
  const view = await confirmation.view(config.chainId, config.vault)
  if (view === undefined) throw new Error(`chain ${config.chainId} has no view after it was started`)
  return view
}

/**
 * The highest block that we and the node agree on, by hash. `lagging`: the node is behind what we have seen, without disagreeing.
 * @throws ChainUnavailableError if a block below the head is not there: another node answered, which is behind. Only another
 * hash is a fork.
 */
async function commonAncestor(
  { chain, config, confirmation }: StageContext,
  view: ChainViewRecord,
  head: Block,
): Promise<bigint | 'lagging'> {
  let number = head.number < view.headNumber ? head.number : view.headNumber
  for (let depth = 0; depth <= config.reorgDepthMax; depth++, number--) {
    const stored = await confirmation.storedBlock(config.chainId, config.vault, number)
    if (stored === undefined) break
    const theirs =
      number === head.number ? ({ outcome: 'found', value: head } as const) : await chain.blockByNumber(number)
    if (theirs.outcome === 'absent') throw new ChainUnavailableError(`block ${number}, below the head ${head.number}`)
    if (theirs.value.hash === stored.hash) {
      return depth === 0 && head.number < view.headNumber ? 'lagging' : number
    }
  }
  throw new Error(
    `chain ${config.chainId}: no common block within ${config.reorgDepthMax} of ${view.headNumber} (final: ${view.finalizedNumber}). ` +
      'A final block changed or the node follows another chain: settle this by hand.',
  )
}

/** Canonical blocks above the ancestor, each the child of the one before. Stops early when the chain moves under our feet. */
async function walk({ chain }: StageContext, fork: Block, head: Block): Promise<readonly Block[]> {
  const blocks: Block[] = []
  let parentHash = fork.hash
  const last = head.number < fork.number + blockCountMax ? head.number : fork.number + blockCountMax
  for (let number = fork.number + 1n; number <= last; number++) {
    const block =
      number === head.number ? ({ outcome: 'found', value: head } as const) : await chain.blockByNumber(number)
    if (block.outcome === 'absent' || block.value.parentHash !== parentHash) break
    blocks.push(block.value)
    parentHash = block.value.hash
  }
  return blocks
}

type Found = {
  readonly included: readonly IncludedBatch[]
  readonly reverted: readonly RevertedBatch[]
  readonly outside: readonly OutsideSettlement[]
}

async function match(context: StageContext, blocks: readonly Block[]): Promise<Found> {
  const { chain, config, confirmation } = context
  const all = (await Promise.all(blocks.map((block) => chain.events(block)))).flat()
  // Of a token that we do not settle nothing is in our books.
  const events = all.filter(({ token }) => findToken(config, token) !== undefined)
  const blockOf = new Map(blocks.map((block) => [block.hash, block]))
  const settled = events.filter((event) => event.name === 'BatchSettled' && event.relayerId === config.relayerId)
  const attempts = new Map(
    (await confirmation.attemptsByTx(settled.map(({ txHash }) => txHash))).map((attempt) => [attempt.txHash, attempt]),
  )

  const included: IncludedBatch[] = []
  for (const event of settled) {
    const attempt = attempts.get(event.txHash)
    const block = blockOf.get(event.blockHash)
    if (attempt === undefined || block === undefined || event.name !== 'BatchSettled') continue
    included.push({ ...attempt, block, results: event.results, gasUsed: await gasUsed(context, event) })
  }
  const { payments: outside } = await readOutside(context, events, new Set(attempts.keys()))
  const reverted = await findReverted(context, blocks, new Set(included.map(({ batchId }) => batchId)))
  return { included, reverted, outside }
}

async function gasUsed({ chain }: StageContext, event: VaultEvent): Promise<bigint> {
  const receipt = await chain.receipt(event.txHash)
  if (receipt.outcome === 'absent')
    throw new ChainUnavailableError(`the receipt of ${event.txHash}, whose event it just showed`)
  return receipt.value.gasUsed
}

/** Our tx used its account nonce without an event of the vault: the receipt tells whether it failed, and in which block. */
async function findReverted(
  { chain, confirmation, config }: StageContext,
  blocks: readonly Block[],
  includedBatches: ReadonlySet<string>,
): Promise<readonly RevertedBatch[]> {
  const tip = blocks.at(-1)
  if (tip === undefined) return []
  const counts = new Map<string, number>()
  const countOf = async (signer: SentAttempt['signer']): Promise<number> => {
    const count = counts.get(signer) ?? (await chain.accountNonce(signer, tip.hash))
    counts.set(signer, count)
    return count
  }
  const reverted: RevertedBatch[] = []
  for (const attempt of await confirmation.openAttempts(config.chainId, config.vault)) {
    if (includedBatches.has(attempt.batchId) || (await countOf(attempt.signer)) <= attempt.accountNonce) continue
    const receipt = await chain.receipt(attempt.txHash)
    if (receipt.outcome === 'absent') continue
    const { blockNumber, blockHash, gasUsed, isSuccess } = receipt.value
    // It settled, but its event was not among those of its block: the node has not told all. Walk again, do not go on.
    if (isSuccess) throw new ChainUnavailableError(`the event of ${attempt.txHash}, which succeeded in ${blockNumber}`)
    const block =
      blocks.find(({ hash }) => hash === blockHash) ??
      (await confirmation.storedBlock(config.chainId, config.vault, blockNumber))
    if (block?.hash === blockHash) reverted.push({ ...attempt, block, gasUsed })
  }
  return reverted
}
