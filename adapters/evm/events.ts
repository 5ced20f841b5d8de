import { type Address, decodeEventLog, type Hex, hexToBytes, keccak256, toEventSelector } from 'viem'
import { z } from 'zod'
import { type Block, ChainUnavailableError, type VaultEvent } from '../../core/ports/chain.ts'
import { vaultAbi } from '../../core/protocol/vault-abi.ts'
import { countSchema, hexSchema, quantitySchema, type Rpc, wordSchema } from './rpc.ts'

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
 * The vault's events in one block, in log order.
 *
 * "No events" is believed only of a block that the node still has. If the block's bloom filter says otherwise, its
 * receipts decide, whose own filters must add up to it: nodes answer empty for blocks that they are still indexing, and an
 * event that is missed here is money that moves unseen.
 * @throws ChainUnavailableError if the block is unknown or an event of the vault cannot be decoded.
 */
export async function readEvents(rpc: Rpc, vault: Address, block: Block): Promise<readonly VaultEvent[]> {
  const filter = [{ blockHash: block.hash, address: vault }]
  let logs: readonly Log[] = await rpc.ask('eth_getLogs', filter, logsSchema)
  if (logs.length === 0) {
    const found = await rpc.ask('eth_getBlockByHash', [block.hash, false], bloomedBlockSchema)
    if (found === null) throw new ChainUnavailableError(`block ${block.hash} is not known`)
    if (isInBloom(found.logsBloom, vault)) logs = await readReceiptLogs(rpc, block, found)
  }
  return logs
    .filter((log) => isOurs(log, vault, block))
    .toSorted((a, b) => a.logIndex - b.logIndex)
    .flatMap((log) => decode(log) ?? [])
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

function isOurs(log: Log, vault: Address, block: Block): boolean {
  if (log.blockHash !== block.hash.toLowerCase()) {
    throw new ChainUnavailableError(`asked for logs of block ${block.hash}, got some of ${log.blockHash}`)
  }
  return log.address === vault.toLowerCase()
}

/** Undefined for events that move nothing we follow, and for those that the ABI does not know. */
function decode(log: Log): VaultEvent | undefined {
  const topic = log.topics[0]
  if (topic === undefined || !knownTopics.has(topic)) return undefined
  const event = decodeKnown(log)
  const placed = {
    blockNumber: log.blockNumber,
    blockHash: log.blockHash,
    txHash: log.transactionHash,
    logIndex: log.logIndex,
  }
  switch (event.eventName) {
    case 'BatchSettled': {
      const { anchor, token, relayerId, paymentCount, cancelCount, results } = event.args
      const counts = { paymentCount: Number(paymentCount), cancelCount: Number(cancelCount) }
      return { ...placed, name: 'BatchSettled', anchor, token, relayerId, ...counts, results }
    }
    case 'OverdueSettled': {
      const { paymentDigest: digest, payer, payee, token, amount, nonce, orderRef } = event.args
      return { ...placed, name: 'OverdueSettled', digest, payer, payee, token, amount, nonce, orderRef }
    }
    case 'Deposited':
    case 'Withdrawn': {
      const { payer, token, amount } = event.args
      return { ...placed, name: event.eventName, payer, token, amount }
    }
    case 'Credited':
    case 'Claimed': {
      const { payee, token, amount } = event.args
      return { ...placed, name: event.eventName, payee, token, amount }
    }
    case 'RelayerBound':
    case 'RelayerRebindRequested':
    case 'WithdrawRequested':
    case 'WithdrawCancelled': {
      const { payer, token } = event.args
      return { ...placed, name: 'AccountChanged', payer, token }
    }
    default:
      return undefined
  }
}

function decodeKnown(log: Log) {
  try {
    const [signature, ...indexed] = log.topics
    if (signature === undefined) throw new RangeError('a log without topics')
    return decodeEventLog({ abi: vaultAbi, data: log.data, topics: [signature, ...indexed], strict: true })
  } catch (cause) {
    throw new ChainUnavailableError(`log ${log.logIndex} of block ${log.blockHash} does not fit the vault's ABI`, {
      cause,
    })
  }
}

const knownTopics = new Set<Hex>(vaultAbi.filter((item) => item.type === 'event').map((item) => toEventSelector(item)))

/** Whether the 2048-bit filter may hold `address`: three bits, picked by the first three pairs of its hash. @see Yellow Paper §4.3.1 */
function isInBloom(bloom: Hex, address: Address): boolean {
  const bits = hexToBytes(bloom)
  const hash = keccak256(address, 'bytes')
  return [0, 2, 4].every((at) => {
    const bit = (((hash[at] ?? 0) << 8) | (hash[at + 1] ?? 0)) & 2047
    return (((bits[bits.length - 1 - (bit >> 3)] ?? 0) >> (bit & 7)) & 1) === 1
  })
}
