import type { Address, Hex } from 'viem'
import { linkOf, zeroLink } from '../core/chained.ts'
import { findToken } from '../core/config.ts'
import { ChainUnavailableError, type VaultEvent } from '../core/ports/chain.ts'
import { settlePayloadOf } from '../core/protocol/settle-calldata.ts'
import { type ChainStart, decodeSettlement } from '../core/protocol/settlement.ts'
import { domainOf, domainSeparator } from '../core/protocol/typed-data.ts'
import { type MinedBatch, type SettledBatch, settledBatch } from '../core/settled-batch.ts'
import type { StageContext } from './stage.ts'

export type BatchEvent = VaultEvent & { readonly name: 'BatchSettled' }

/**
 * A batch that the contract settled, from its calldata, because the event carries only the result bits. Undefined if the tx
 * went to another contract, whose calldata says nothing, or if it is no batch of a listed token. `known`: where chained
 * accounts stood before it, if the books say; else the node must have the state of the block before.
 * @throws ChainUnavailableError if the node does not have what it must have.
 */
export async function minedBatch(
  context: StageContext,
  event: BatchEvent,
  known?: MinedBatch['starts'],
): Promise<MinedBatch | undefined> {
  const sent = await readPayload(context, event)
  if (sent === undefined) return undefined
  const starts = event.mode === 'chained' ? (known ?? (await startsOf(context, event, sent))) : new Map()
  return { ...sent, results: event.results, starts }
}

/** What such a batch settled. */
export function settledBatchOf({ config }: Pick<StageContext, 'config'>, mined: MinedBatch): SettledBatch {
  return settledBatch(mined, domainSeparator(domainOf(config)))
}

/**
 * Whether a batch moves what is in our books: those of our relayer id, and all that pull, for every relayer of the vault may
 * settle what a payer has signed for the pull settler.
 */
export function isOfOurBooks({ config }: Pick<StageContext, 'config'>, event: BatchEvent): boolean {
  return event.relayerId === config.relayerId || event.mode === 'pull'
}

/**
 * What a batch of our books settled; undefined if its calldata says nothing. What another relayer sent must not stop us,
 * whatever it is.
 * @throws ChainUnavailableError as `minedBatch`, @throws Error for a malformed batch of our own id
 */
export async function readSettled(context: StageContext, event: BatchEvent): Promise<SettledBatch | undefined> {
  try {
    const mined = await minedBatch(context, event)
    return mined && settledBatchOf(context, mined)
  } catch (error) {
    if (event.relayerId === context.config.relayerId || error instanceof ChainUnavailableError) throw error
    return undefined
  }
}

type Sent = Pick<MinedBatch, 'payload' | 'scale'>

async function readPayload({ chain, config }: StageContext, { txHash, token }: BatchEvent): Promise<Sent | undefined> {
  const transaction = await chain.transaction(txHash)
  if (transaction.outcome === 'absent') throw new ChainUnavailableError(`the tx ${txHash}, whose event it just showed`)
  const { to, input } = transaction.value
  const payload = to === config.vault ? settlePayloadOf(input) : undefined
  const scale = findToken(config, token)?.scale
  return payload === undefined || scale === undefined ? undefined : { payload, scale }
}

/** Where chained accounts stood before a batch: as at the end of the block before, moved on by what its own block settled in front of it. */
async function startsOf(
  context: StageContext,
  event: BatchEvent,
  sent: Sent,
): Promise<ReadonlyMap<Address, ChainStart>> {
  const { chain } = context
  const { token, blockHash } = event
  const block = await chain.blockByHash(blockHash)
  if (block.outcome === 'absent') throw new ChainUnavailableError(`block ${blockHash}, whose event it just showed`)
  const before: { readonly sent: Sent; readonly results: Hex }[] = []
  for (const earlier of await chain.events(block.value)) {
    if (earlier.name !== 'BatchSettled' || earlier.mode !== 'chained') continue
    // The payers of another relayer are none of ours.
    if (earlier.token !== token || earlier.relayerId !== event.relayerId || earlier.logIndex >= event.logIndex) continue
    const theirs = await readPayload(context, earlier)
    if (theirs !== undefined) before.push({ sent: theirs, results: earlier.results })
  }
  const payersOf = ({ payload, scale }: Sent) => decodeSettlement(payload, scale).chainedPayers
  const payers = [...new Set([sent, ...before.map((each) => each.sent)].flatMap(payersOf))]
  const starts = await startsAt(context, token, payers, block.value.parentHash)
  for (const each of before) {
    for (const settled of settledBatchOf(context, { ...each.sent, results: each.results, starts }).payments) {
      const { payment, taking } = settled
      if (!settled.isSettled || taking.mode !== 'chained') continue
      const head = linkOf(payment, taking.previous, each.sent.scale)
      starts.set(payment.payer, { sequence: payment.nonce, head })
    }
  }
  return starts
}

/** Where chained accounts stand at the end of a block. */
export async function startsAt(
  { chain }: Pick<StageContext, 'chain'>,
  token: Address,
  payers: readonly Address[],
  atBlock: Hex,
): Promise<Map<Address, ChainStart>> {
  const states = await chain.accounts({ mode: 'chained', token }, payers, atBlock)
  return new Map(
    payers.flatMap((payer, index): readonly (readonly [Address, ChainStart])[] => {
      const state = states[index]
      return state === undefined ? [] : [[payer, { sequence: state.topNonce, head: state.head ?? zeroLink }]]
    }),
  )
}
