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

  /** Mined or waiting to be. Every other answer than yes and no is none. */
  async function isKnown(id: string): Promise<boolean> {
    const { status, text } = await get(`/tx/${id}/status`)
    if (status === 404) return false
    if (status === 200 || status === 202) return true
    throw new StoreUnavailableError('arweave', `status of ${id}: ${status} ${short(text)}`)
  }

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
      if (!(await isKnown(id))) {
        const answer = await post('/tx', tx)
        if (refusals.has(answer.status)) {
          // It may refuse what it has already, too: to sign afresh then would be to pay twice.
          if (!(await isKnown(id))) return refused('the tx', answer)
        } else expectTaken('the tx', answer)
      }
      // Again even if the tx is known: whoever posted it may have died before its last chunk.
      for (const [index, chunk] of chunks.entries()) {
        const what = `chunk ${index} of ${chunks.length}`
        const answer = await post('/chunk', chunk)
        if (isFatal(answer)) return refused(what, answer)
        expectTaken(what, answer)
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

/** Final for this very tx, if the gateway does not have it: a stale anchor, no money, too large. */
const refusals = new Set([400, 401, 402, 403, 410, 413, 422])

/**
 * Chunks that no node will ever take. Whatever else is said of a chunk may pass (`disk_full`, `data_root_not_found` while
 * the tx, which is paid, travels): it is sent again, not paid again.
 * @see FATAL_CHUNK_UPLOAD_ERRORS in `lib/transaction-uploader` of arweave 1.15.7
 */
const fatalChunkErrors = new Set([
  'invalid_json',
  'chunk_too_big',
  'data_path_too_big',
  'offset_too_big',
  'data_size_too_big',
  'chunk_proof_ratio_not_attractive',
  'invalid_proof',
])
const chunkErrorSchema = z.object({ error: z.string() })

function isFatal({ status, text }: GatewayAnswer): boolean {
  if (!refusals.has(status)) return false
  return fatalChunkErrors.has(chunkErrorSchema.safeParse(jsonOf(text)).data?.error ?? '')
}

function refused(what: string, { status, text }: GatewayAnswer): PutOutcome {
  return { outcome: 'refused', reason: `${what} was refused with ${status}: ${short(text)}` }
}

/** 208: it has it already. */
function expectTaken(what: string, { status, text }: GatewayAnswer): void {
  if (status === 200 || status === 202 || status === 208) return
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
