import { type RawBuilder, sql } from 'kysely'
import type { Address } from 'viem'
import type { ChainViewRecord } from '../../core/ports/accounts.ts'
import type { Block } from '../../core/ports/chain.ts'
import type { Confirmation, Confirmed, SentAttempt } from '../../core/ports/confirmation.ts'
import { type BlockRow, blockOf } from './block-row.ts'
import { findChainView, lockChainView } from './chain-view.ts'
import { addressOf, byteaText, bytes, hexOf, idOf } from './codec.ts'
import { type Database, type DbTransaction, inTransaction, query } from './database.ts'
import { include, settleOutside } from './inclusion.ts'

export function createConfirmation(database: Database): Confirmation {
  return {
    view: (chainId, vault) => findChainView(database, chainId, vault),
    start: (chainId, vault, at, isPaused) => start(database, chainId, vault, at, isPaused),
    storedBlock: (chainId, vault, number) => storedBlock(database, chainId, vault, number),
    attemptsByTx: (txHashes) => attempts(database, sql`a.tx_hash = any(${txHashes.map(bytes)}::bytea[])`),
    openAttempts: (chainId, vault) =>
      attempts(
        database,
        sql`b.chain_id = ${chainId} and b.vault = ${bytes(vault)} and b.state in ('batched', 'submitted') and a.tx_hash is not null`,
      ),
    apply: (chainId, vault, from, confirmed) => apply(database, chainId, vault, from, confirmed),
  }
}

async function start(database: Database, chainId: number, vault: Address, at: Block, isPaused: boolean): Promise<void> {
  await inTransaction(database, async (tx) => {
    const inserted = await sql`
      insert into chain_view (chain_id, vault, head_number, head_hash, head_at, finalized_number, finalized_hash, finalized_at, is_paused)
      values (${chainId}, ${bytes(vault)}, ${at.number}, ${bytes(at.hash)}, ${at.at}, ${at.number}, ${bytes(at.hash)}, ${at.at}, ${isPaused})
      on conflict do nothing`.execute(tx)
    if (inserted.numAffectedRows === 1n) await storeBlocks(tx, chainId, vault, [at])
  })
}

async function storedBlock(
  database: Database,
  chainId: number,
  vault: Address,
  number: bigint,
): Promise<Block | undefined> {
  const [row] = await query(
    database,
    sql<BlockRow>`select number, hash, parent_hash, at from block
      where chain_id = ${chainId} and vault = ${bytes(vault)} and number = ${number}`,
  )
  return row && blockOf(row)
}

async function attempts(database: Database, condition: RawBuilder<unknown>): Promise<readonly SentAttempt[]> {
  type Row = { id: string; batch_id: string; signer: Buffer; account_nonce: number; tx_hash: Buffer }
  const found = await query(
    database,
    sql<Row>`
      select a.id, a.batch_id, a.signer, a.account_nonce, a.tx_hash
      from attempt a join batch b on b.id = a.batch_id where ${condition}`,
  )
  return found.map((row) => ({
    attemptId: idOf('at', row.id),
    batchId: idOf('sb', row.batch_id),
    signer: addressOf(row.signer),
    accountNonce: row.account_nonce,
    txHash: hexOf(row.tx_hash),
  }))
}

function apply(
  database: Database,
  chainId: number,
  vault: Address,
  from: ChainViewRecord,
  confirmed: Confirmed,
): Promise<'applied' | 'moved'> {
  return inTransaction(database, async (tx) => {
    const locked = await lockChainView(tx, chainId, vault)
    if (locked === undefined || locked.headHash !== from.headHash) return 'moved'

    await goBack(tx, chainId, vault, confirmed.commonAncestor)
    await storeBlocks(tx, chainId, vault, confirmed.blocks)
    await include(tx, confirmed)
    await settleOutside(tx, chainId, vault, confirmed.outside)

    const { head } = confirmed
    await sql`
      update chain_view set head_number = ${head.number}, head_hash = ${bytes(head.hash)}, head_at = ${head.at},
        is_paused = ${confirmed.isPaused}, observed_at = now()
      where chain_id = ${chainId} and vault = ${bytes(vault)}`.execute(tx)
    return 'applied'
  })
}

/** What blocks above `ancestor` included is on its way again; its newest signed attempt is sent again at once. */
async function goBack(tx: DbTransaction, chainId: number, vault: Address, ancestor: bigint): Promise<void> {
  await sql`delete from block where chain_id = ${chainId} and vault = ${bytes(vault)} and number > ${ancestor}`.execute(
    tx,
  )
  await sql`
    with gone as (
      update batch set state = 'submitted', block_number = null, block_hash = null, tx_hash = null, gas_used = null,
        results = null, included_at = null
      where chain_id = ${chainId} and vault = ${bytes(vault)} and state in ('included', 'reverted') and block_number > ${ancestor}
      returning id
    )
    update attempt set state = 'signed', sent_at = null
    where id in (
        select distinct on (batch_id) id from attempt
        where batch_id in (select id from gone) and raw_tx is not null
        order by batch_id, id desc
      )
      and state = 'sent'`.execute(tx)
  await sql`
    update intent set outside_tx = null, outside_block = null
    where chain_id = ${chainId} and vault = ${bytes(vault)} and outside_block > ${ancestor}`.execute(tx)
}

async function storeBlocks(
  tx: DbTransaction,
  chainId: number,
  vault: Address,
  blocks: readonly Block[],
): Promise<void> {
  if (blocks.length === 0) return
  const set = blocks.map(({ number, hash, parentHash, at }) => ({
    number: `${number}`,
    hash: byteaText(hash),
    parent: byteaText(parentHash),
    at: `${at}`,
  }))
  await sql`
    insert into block (chain_id, vault, number, hash, parent_hash, at)
    select ${chainId}::bigint, ${bytes(vault)}::bytea, number, hash, parent, at
    from jsonb_to_recordset(${JSON.stringify(set)}::jsonb) as r(number bigint, hash bytea, parent bytea, at bigint)`.execute(
    tx,
  )
}
