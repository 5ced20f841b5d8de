import type { ChainJournal } from './chain-journal.ts'
import { type Rpc, type RpcBlock, rawTransaction, toHex } from './hardhat-rpc.ts'

/** Mines a block per interval and writes each block to the journal before any client can see it. */
export type Mining = {
  /** A client's call: it waits while a block is being mined. */
  pass<Result>(method: string, call: () => Promise<Result>): Promise<Result>
  stop(): Promise<void>
}

/** These move the chain's clock or its head, so that the next block's time is the node's own to choose. */
const timeTravel = new Set(['evm_mine', 'evm_increaseTime', 'evm_setNextBlockTimestamp', 'hardhat_mine'])

/** After a restart the clock goes on from the last block only if somebody had moved it on purpose, not by jitter. */
const jitterSecondsMax = 60

export async function startMining({
  rpc,
  blockSeconds,
  journal,
  onFailure,
}: {
  readonly rpc: Rpc
  readonly blockSeconds: number
  readonly journal?: ChainJournal
  /** Called once if a block cannot be journaled: the chain must not go on then. */
  readonly onFailure: (error: unknown) => void
}): Promise<Mining> {
  let head = await rpc<RpcBlock>('eth_getBlockByNumber', ['latest', false])
  let secondsAhead = keepIfMeant(secondsAheadOf(head))
  let travelled = false
  let gate: Promise<unknown> = Promise.resolve()
  const inFlight = new Set<Promise<unknown>>()

  function nextTimestamp(): number {
    // Sub-second blocks share timestamps: else the chain's clock would run ahead of the world's.
    const step = blockSeconds < 1 ? 0 : 1
    return Math.max(wallClock() + secondsAhead, Number(head.timestamp) + step)
  }

  /** Runs `work` while no client's call runs. */
  function alone<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = gate.then(async () => {
      await Promise.allSettled(inFlight)
      return await work()
    })
    gate = result.then(
      () => undefined,
      () => undefined,
    )
    return result
  }

  /** Journals the blocks that have been mined since the last time. */
  async function record(): Promise<void> {
    const latest = await rpc<RpcBlock>('eth_getBlockByNumber', ['latest', true])
    const blocks = []
    for (let number = Number(head.number) + 1; number < Number(latest.number); number++)
      blocks.push(await rpc<RpcBlock>('eth_getBlockByNumber', [toHex(number), true]))
    if (latest.number !== head.number) blocks.push(latest)
    head = latest
    await journal?.append(
      blocks.map((block) => ({
        number: Number(block.number),
        timestamp: Number(block.timestamp),
        hash: block.hash,
        baseFee: BigInt(block.baseFeePerGas).toString(),
        transactions: block.transactions.map(rawTransaction),
      })),
    )
  }

  async function mine(): Promise<void> {
    try {
      await rpc('evm_mine', travelled ? [] : [toHex(nextTimestamp())])
      await record()
      if (travelled) secondsAhead = secondsAheadOf(head)
      travelled = false
    } catch (error) {
      onFailure(error)
    }
  }

  // Replaying old blocks has set the node's clock back: one block brings it to the present.
  if (Number(head.number) > 0) await mine()

  let busy = false
  const timer = setInterval(() => {
    // A block that takes longer than the interval is not followed by a burst of late ones.
    if (busy) return
    busy = true
    void alone(mine).finally(() => {
      busy = false
    })
  }, blockSeconds * 1000)

  return {
    async pass(method, call) {
      if (timeTravel.has(method)) {
        return await alone(async () => {
          const result = await call()
          travelled = true
          await record().catch(onFailure)
          return result
        })
      }
      await gate
      const result = call()
      inFlight.add(result)
      try {
        return await result
      } finally {
        inFlight.delete(result)
      }
    },
    async stop() {
      clearInterval(timer)
      await gate
    },
  }
}

const wallClock = () => Math.floor(Date.now() / 1000)
const secondsAheadOf = (block: RpcBlock) => Math.max(0, Number(block.timestamp) - wallClock())
const keepIfMeant = (seconds: number) => (seconds > jitterSecondsMax ? seconds : 0)
