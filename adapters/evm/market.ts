import { z } from 'zod'
import type { Market } from '../../core/lane.ts'
import { ChainUnavailableError } from '../../core/ports/chain.ts'
import { NodeRefusal, quantitySchema, type Rpc } from './rpc.ts'

/** Nodes refuse a tip of zero, and no builder takes one. */
const priorityFeePerGasWeiMin = 1n
/** When the node knows no price: what wallets bid on a quiet chain. */
const priorityFeePerGasWeiDefault = 1_000_000_000n
const historyBlocks = 5

const historySchema = z.object({
  baseFeePerGas: z.array(quantitySchema).min(1),
  reward: z.array(z.array(quantitySchema)).nullish(),
})

/**
 * The base fee of the NEXT block, which `eth_feeHistory` appends to those it was asked for, and a priority fee: the
 * node's own advice, else the median of what recent blocks paid, else a default.
 */
export async function readMarket(rpc: Rpc): Promise<Market> {
  const [history, advice] = await Promise.all([
    rpc.ask('eth_feeHistory', [`0x${historyBlocks.toString(16)}`, 'latest', [50]], historySchema),
    rpc.attempt('eth_maxPriorityFeePerGas', [], quantitySchema),
  ])
  const baseFeePerGasWei = history.baseFeePerGas.at(-1)
  if (baseFeePerGasWei === undefined) throw new ChainUnavailableError('eth_feeHistory named no base fee')
  const paid = (history.reward ?? [])
    .flat()
    .filter((wei) => wei > 0n)
    .sort((a, b) => (a < b ? -1 : 1))
  const median = paid[paid.length >> 1]
  const priority = advice instanceof NodeRefusal ? (median ?? priorityFeePerGasWeiDefault) : advice
  return {
    baseFeePerGasWei,
    priorityFeePerGasWei: priority > priorityFeePerGasWeiMin ? priority : priorityFeePerGasWeiMin,
  }
}
