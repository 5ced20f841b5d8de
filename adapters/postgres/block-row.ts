import type { Block } from '../../core/ports/chain.ts'
import { hexOf } from './codec.ts'

/** A row of `block`: number, hash, parent_hash, at. */
export type BlockRow = {
  readonly number: number
  readonly hash: Buffer
  readonly parent_hash: Buffer
  readonly at: number
}

export function blockOf(row: BlockRow): Block {
  return { number: BigInt(row.number), hash: hexOf(row.hash), parentHash: hexOf(row.parent_hash), at: BigInt(row.at) }
}
