import { type Address, type Hex, hexToBytes, keccak256 } from 'viem'
import { z } from 'zod'
import { type Block, ChainUnavailableError, type VaultEvent } from '../../core/ports/chain.ts'
import { countSchema, hexSchema, quantitySchema, type Rpc, wordSchema } from './rpc.ts'
import type { SettlementContract } from './settlement-contract.ts'

const logSchema = z.object({
  address: hexSchema,
  topics: z.array(wordSchema),
  data: hexSchema,
  blockNumber: quantitySchema,
  blockHash: wordSchema,
  transactionHash: wordSchema,
  logIndex: countSchema,
})
type Log = z.output<typeof logSchema>
const logsSchema = z.array(logSchema)
const bloomedBlockSchema = z.object({ logsBloom: hexSchema, transactions: z.array(wordSchema) }).nullable()
const receiptSchema = z.object({ blockHash: wordSchema, logsBloom: hexSchema, logs: logsSchema }).nullable()

/**
 * The contract's events in one block, in log order.
 *
 * "No events" is believed only of a block that the node still has. If the block's bloom filter says otherwise, its
 * receipts decide, whose own filters must add up to it: nodes answer empty for blocks that they are still indexing, and an
 * event that is missed here is money that moves unseen.
 * @throws ChainUnavailableError if the block is unknown or an event of the contract cannot be decoded.
 */
export async function readEvents(rpc: Rpc, contract: SettlementContract, block: Block): Promise<readonly VaultEvent[]> {
  const { address } = contract
  const filter = [{ blockHash: block.hash, address }]
  let logs: readonly Log[] = await rpc.ask('eth_getLogs', filter, logsSchema)
  if (logs.length === 0) {
    const found = await rpc.ask('eth_getBlockByHash', [block.hash, false], bloomedBlockSchema)
    if (found === null) throw new ChainUnavailableError(`block ${block.hash} is not known`)
    if (isInBloom(found.logsBloom, address)) logs = await readReceiptLogs(rpc, block, found)
  }
  return logs
    .filter((log) => isOurs(log, address, block))
    .toSorted((a, b) => a.logIndex - b.logIndex)
    .flatMap((log) => decode(contract, log) ?? [])
}

async function readReceiptLogs(
  rpc: Rpc,
  block: Block,
  { logsBloom, transactions }: NonNullable<z.output<typeof bloomedBlockSchema>>,
): Promise<readonly Log[]> {
  const logs: Log[] = []
  let bloom = 0n
  for (const hash of transactions) {
    const receipt = await rpc.ask('eth_getTransactionReceipt', [hash], receiptSchema)
    if (receipt?.blockHash !== block.hash) {
      throw new ChainUnavailableError(`the receipt of ${hash} in block ${block.hash}`)
    }
    bloom |= BigInt(receipt.logsBloom)
    logs.push(...receipt.logs)
  }
  if (bloom !== BigInt(logsBloom)) throw new ChainUnavailableError(`all receipts of block ${block.hash}`)
  return logs
}

function isOurs(log: Log, contract: Address, block: Block): boolean {
  if (log.blockHash !== block.hash.toLowerCase()) {
    throw new ChainUnavailableError(`asked for logs of block ${block.hash}, got some of ${log.blockHash}`)
  }
  return log.address === contract.toLowerCase()
}

function decode({ decode: decodeLog }: SettlementContract, log: Log): VaultEvent | undefined {
  try {
    return decodeLog(log)
  } catch (cause) {
    throw new ChainUnavailableError(`log ${log.logIndex} of block ${log.blockHash} does not fit the contract's ABI`, {
      cause,
    })
  }
}

/** Whether the 2048-bit filter may hold `address`: three bits, picked by the first three pairs of its hash. @see Yellow Paper §4.3.1 */
function isInBloom(bloom: Hex, address: Address): boolean {
  const bits = hexToBytes(bloom)
  const hash = keccak256(address, 'bytes')
  return [0, 2, 4].every((at) => {
    const bit = (((hash[at] ?? 0) << 8) | (hash[at + 1] ?? 0)) & 2047
    return (((bits[bits.length - 1 - (bit >> 3)] ?? 0) >> (bit & 7)) & 1) === 1
  })
}
