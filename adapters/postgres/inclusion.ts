import { sql } from 'kysely'
import type { Address, Hex } from 'viem'
import type { Block } from '../../core/ports/chain.ts'
import type { Confirmed, OutsideSettlement } from '../../core/ports/confirmation.ts'
import { byteaText, bytes, uuidOfOwn } from './codec.ts'
import type { DbTransaction } from './database.ts'

/** What was mined: from then on the payments of these batches take their state. */
export async function include(
  tx: DbTransaction,
  { included, reverted }: Pick<Confirmed, 'included' | 'reverted'>,
): Promise<void> {
  const row = (
    batchId: string,
    block: Block,
    txHash: Hex,
    gasUsed: bigint,
    state: string,
    results: Hex | undefined,
  ) => ({
    id: uuidOfOwn('sb', batchId),
    number: `${block.number}`,
    hash: byteaText(block.hash),
    tx: byteaText(txHash),
    gas: `${gasUsed}`,
    state,
    results: results === undefined ? null : byteaText(results),
  })
  const set = [
    ...included.map((b) => row(b.batchId, b.block, b.txHash, b.gasUsed, 'included', b.results)),
    ...reverted.map((b) => row(b.batchId, b.block, b.txHash, b.gasUsed, 'reverted', undefined)),
  ]
  if (set.length === 0) return
  await sql`
    update batch b set state = r.state, block_number = r.number, block_hash = r.hash, tx_hash = r.tx, gas_used = r.gas,
      results = r.results, included_at = now()
    from jsonb_to_recordset(${JSON.stringify(set)}::jsonb)
      as r(id uuid, number bigint, hash bytea, tx bytea, gas bigint, state text, results bytea)
    where b.id = r.id and b.state in ('batched', 'submitted')`.execute(tx)
}

/** Marks payments that somebody else's tx settled. */
export async function settleOutside(
  tx: DbTransaction,
  chainId: number,
  vault: Address,
  outside: readonly OutsideSettlement[],
): Promise<void> {
  if (outside.length === 0) return
  const set = outside.map((o) => ({
    digest: byteaText(o.digest),
    tx: byteaText(o.txHash),
    number: `${o.blockNumber}`,
  }))
  await sql`
    update intent i set outside_tx = r.tx, outside_block = r.number, updated_at = now()
    from jsonb_to_recordset(${JSON.stringify(set)}::jsonb) as r(digest bytea, tx bytea, number bigint)
      join intent_digest d on d.digest = r.digest
    where i.id = d.intent_id and i.chain_id = ${chainId} and i.vault = ${bytes(vault)}
      and i.state in ('held', 'accepted', 'batched', 'cancelling')`.execute(tx)
}
