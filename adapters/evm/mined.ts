import type { Address, Hex } from 'viem'
import { z } from 'zod'
import { ChainUnavailableError, type Found, type MinedTx } from '../../core/ports/chain.ts'
import { countSchema, hexSchema, quantitySchema, type Rpc, wordSchema } from './rpc.ts'

const receiptSchema = z.object({
  blockNumber: quantitySchema,
  blockHash: wordSchema,
  status: quantitySchema,
  gasUsed: quantitySchema,
  effectiveGasPrice: quantitySchema,
  logs: z.array(z.object({ address: hexSchema, topics: z.array(wordSchema), data: hexSchema, logIndex: countSchema })),
})
const transactionSchema = z.object({ input: hexSchema, blockHash: wordSchema.nullable() })

/** Receipt and calldata of a mined tx; absent if either is. @throws ChainUnavailableError if they are of two blocks. */
export async function readMined(rpc: Rpc, vault: Address, hash: Hex): Promise<Found<MinedTx>> {
  const receipt = await rpc.ask('eth_getTransactionReceipt', [hash], receiptSchema.nullable())
  const transaction = await rpc.ask('eth_getTransactionByHash', [hash], transactionSchema.nullable())
  if (receipt === null || transaction === null) return { outcome: 'absent' }
  if (transaction.blockHash !== receipt.blockHash) {
    throw new ChainUnavailableError(`tx ${hash} is in ${transaction.blockHash}, its receipt in ${receipt.blockHash}`)
  }
  const { effectiveGasPrice: effectiveGasPriceWei, logs, ...rest } = receipt
  const ours = logs
    .filter(({ address }) => address === vault.toLowerCase())
    .map(({ logIndex, topics, data }) => ({ logIndex, topics, data }))
    .toSorted((a, b) => a.logIndex - b.logIndex)
  return { outcome: 'found', value: { hash, ...rest, effectiveGasPriceWei, logs: ours, input: transaction.input } }
}
