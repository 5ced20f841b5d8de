import { z } from 'zod'
import { type ArchiveStore, type PutOutcome, StoreUnavailableError } from '../../core/ports/archive-store.ts'
import { connectGateway, type GatewayAnswer } from './gateway.ts'
import { bodiesOf, signItem, type Wallet } from './transaction.ts'

const reasonCharactersMax = 200
const anchorPattern = /^[A-Za-z0-9_-]{0,64}$/
const pricePattern = /^[0-9]{1,30}$/
const statusSchema = z.object({ number_of_confirmations: z.int().min(0) })

/**
 * Arweave through a gateway: one signed tx of format 2 per record. It is signed before it is sent, so sending again after
 * a crash is sending the same and pays once.
 * @param confirmationsMin blocks on top from which it is kept
 * @param rewardWinstonMax the most one record may cost: a gateway names the price, and we sign it
 */
export function createArweaveStore({
  gatewayUrl,
  wallet,
  confirmationsMin,
  rewardWinstonMax,
  timeoutMillisMax,
  lookEveryMillis,
}: {
  readonly gatewayUrl: string
  readonly wallet: Wallet
  readonly confirmationsMin: number
  readonly rewardWinstonMax: bigint
  readonly timeoutMillisMax: number
  readonly lookEveryMillis: number
}): ArchiveStore {
  const { get, post } = connectGateway({ url: gatewayUrl, timeoutMillisMax })

  return {
    name: 'arweave',
    lookEveryMillis,

    async seal(bytes, tags) {
      const anchor = expect(await get('/tx_anchor'), anchorPattern, 'an anchor')
      const rewardWinston = BigInt(expect(await get(`/price/${bytes.length}`), pricePattern, 'a price'))
      if (rewardWinston > rewardWinstonMax) {
        throw new StoreUnavailableError(
          'arweave',
          `the price is ${rewardWinston} winston, at most ${rewardWinstonMax} are paid`,
        )
      }
      const { id, header } = await signItem({ wallet, bytes, tags, anchor, rewardWinston })
      return { id, envelope: header }
    },

    async put(bytes, { id, envelope }) {
      const { tx, chunks } = await bodiesOf(envelope, bytes)
      const { status } = await get(`/tx/${id}/status`)
      if (status === 404) {
        const posted = outcomeOf(await post('/tx', tx), 'the tx')
        if (posted.outcome === 'refused') return posted
      }
      // Again even if the tx is known: whoever posted it may have died before its last chunk.
      for (const [index, chunk] of chunks.entries()) {
        const sent = outcomeOf(await post('/chunk', chunk), `chunk ${index} of ${chunks.length}`)
        if (sent.outcome === 'refused') return sent
      }
      return { outcome: 'taken' }
    },

    async keeping(id) {
      const { status, text } = await get(`/tx/${id}/status`)
      if (status === 404) return { outcome: 'absent' }
      const have = statusSchema.safeParse(jsonOf(text)).data?.number_of_confirmations
      if (status === 200 && have !== undefined && have >= confirmationsMin) return { outcome: 'kept' }
      if (status === 200 || status === 202) return { outcome: 'pending', have: have ?? 0, need: confirmationsMin }
      throw new StoreUnavailableError('arweave', `status of ${id}: ${status} ${short(text)}`)
    },

    async read(id, sizeMax) {
      const { status, body, text } = await get(`/${id}`, sizeMax)
      if (status === 404) return { outcome: 'absent' }
      if (status === 200) return { outcome: 'found', value: body }
      throw new StoreUnavailableError('arweave', `data of ${id}: ${status} ${short(text)}`)
    },
  }
}

/** Final for this very item: a stale anchor, no money, too large. Anything else may pass, or has passed already. */
const refusals = new Set([400, 401, 402, 403, 410, 413, 422])

/** 208: it has it already. */
function outcomeOf({ status, text }: GatewayAnswer, what: string): PutOutcome {
  if (status === 200 || status === 202 || status === 208) return { outcome: 'taken' }
  if (refusals.has(status)) return { outcome: 'refused', reason: `${what} was refused with ${status}: ${short(text)}` }
  throw new StoreUnavailableError('arweave', `${what}: ${status} ${short(text)}`)
}

function expect({ status, text }: GatewayAnswer, pattern: RegExp, what: string): string {
  if (status === 200 && pattern.test(text.trim())) return text.trim()
  throw new StoreUnavailableError('arweave', `${what}: ${status} ${short(text)}`)
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // "Pending", or a page for people: no status that we know.
    return undefined
  }
}

function short(text: string): string {
  return text.replaceAll(/\s+/g, ' ').slice(0, reasonCharactersMax)
}
