import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Hex } from 'viem'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { startAnvil } from '../../scripts/embedded/chain-anvil.ts'
import { startHardhat } from '../../scripts/embedded/chain-hardhat.ts'
import { freePort } from '../../scripts/embedded/port.ts'
import { freshDirectory } from './directory.ts'
import { account, connect, deployToken, readEverything, sendTraffic } from './token.ts'

vi.setConfig({ testTimeout: 300_000 })

const blockSeconds = 0.2

async function hardhat(options: Partial<Parameters<typeof startHardhat>[0]> = {}) {
  const chain = await startHardhat({ blockSeconds, ...options })
  onTestFinished(chain.stop)
  return chain
}

async function anvil(options: Partial<Parameters<typeof startAnvil>[0]> = {}) {
  const chain = await startAnvil({ blockSeconds, ...options })
  onTestFinished(chain.stop)
  return chain
}

/** Deploys the token, sends traffic through two rounds of blocks, and reads back what must survive. */
async function live(chain: { rpcUrl: string; chainId: number }) {
  const connection = connect(chain)
  const token = await deployToken(connection)
  const hashes: Hex[] = []
  for (let round = 0; round < 2; round++) {
    hashes.push(...(await sendTraffic(connection, token)))
    await Promise.all(hashes.map((hash) => connection.reader.waitForTransactionReceipt({ hash })))
  }
  const toBlock = await connection.reader.getBlockNumber()
  return { token, toBlock, before: await readEverything(connection, { token, toBlock }), hashes }
}

describe('a Hardhat chain with a journal', () => {
  test('comes back hash for hash, with its receipts, logs, states and nonces', async () => {
    const journalFile = join(await freshDirectory(), 'chain', 'journal.jsonl')
    const first = await hardhat({ journalFile })
    const { token, toBlock, before } = await live(first)
    expect(before.blocks.flatMap(({ logs }) => logs as unknown[])).toHaveLength(6)
    expect(
      before.blocks
        .flatMap(({ receipts }) => receipts)
        .map((one) => (one as { status: Hex }).status)
        .sort(),
    ).toEqual([...Array(2).fill('0x0'), ...Array(11).fill('0x1')])
    await first.stop()

    const second = await hardhat({ journalFile })
    const connection = connect(second)
    expect(await readEverything(connection, { token, toBlock })).toEqual(before)

    // It goes on from there, in the present, and what is added now comes back too.
    const added = await connection.writer(0).sendTransaction({ to: account(30).address, value: 7n })
    const { blockNumber } = await connection.reader.waitForTransactionReceipt({ hash: added })
    const { timestamp } = await connection.reader.getBlock({ blockNumber })
    expect(Math.abs(Number(timestamp) - Date.now() / 1000)).toBeLessThan(3)
    const after = await readEverything(connection, { token, toBlock: blockNumber })
    await second.stop()
    const third = connect(await hardhat({ journalFile }))
    expect(await readEverything(third, { token, toBlock: blockNumber })).toEqual(after)
  })

  test('that was killed in the middle of a line loses nothing a client has seen', async () => {
    const journalFile = join(await freshDirectory(), 'journal.jsonl')
    const first = await hardhat({ journalFile })
    const { token, toBlock, before } = await live(first)
    process.kill(first.pid, 'SIGKILL')
    await first.exited
    await appendFile(journalFile, '{"number":9999,"timest')

    const again = connect(await hardhat({ journalFile }))
    expect(await readEverything(again, { token, toBlock })).toEqual(before)
  })

  test('refuses what a journal of signed txs cannot hold', async () => {
    const { rpc } = connect(await hardhat({ journalFile: join(await freshDirectory(), 'journal.jsonl') }))
    for (const method of ['hardhat_setBalance', 'evm_snapshot', 'hardhat_mine', 'evm_setAutomine'])
      await expect(rpc(method, [])).rejects.toThrow(`${method} is refused`)
    // The clock may be moved, and stays moved.
    await rpc('evm_increaseTime', ['0x3c'])
    await rpc('evm_mine')
    await new Promise((resolve) => setTimeout(resolve, 1000))
    const { timestamp } = (await rpc('eth_getBlockByNumber', ['latest', false])) as { timestamp: Hex }
    expect(Number(timestamp) - Date.now() / 1000).toBeGreaterThan(55)
  })

  test('stops with a sentence when a block comes out different', async () => {
    const journalFile = join(await freshDirectory(), 'journal.jsonl')
    const chain = await hardhat({ journalFile })
    await live(chain)
    await chain.stop()
    const journal = await readFile(journalFile, 'utf8')
    await writeFile(journalFile, journal.replace(/"transactions":\["0x[0-9a-f]+",?/, '"transactions":['))
    await expect(hardhat({ journalFile })).rejects.toThrow(
      `The chain's journal ${journalFile} cannot be replayed: block`,
    )
    await writeFile(journalFile, 'nonsense\n')
    await expect(hardhat({ journalFile })).rejects.toThrow(`The chain's journal ${journalFile} is damaged.`)
  })
})

describe('a Hardhat chain', () => {
  test('answers what the relayer asks', async () => {
    const chain = await hardhat()
    const { reader, rpc, writer } = connect(chain)
    const { before } = await live(chain)
    const withLogs = before.blocks.find(({ logs }) => (logs as unknown[]).length > 0)
    expect(await rpc('eth_getLogs', [{ blockHash: withLogs?.block.hash }])).toEqual(withLogs?.logs)
    expect(await rpc('eth_getTransactionByHash', [`0x${'12'.repeat(32)}`])).toBe(null)
    expect(await rpc('eth_getBlockByNumber', ['finalized', false])).toHaveProperty('number')
    expect(await reader.getBalance({ address: account(39).address })).toBe(10n ** 22n)
    await expect(rpc('eth_getBlockReceipts', ['latest'])).rejects.toThrow('not supported')

    // A tx that waits for a lower base fee stays in the pool, and is replaced by one that pays 10 % more.
    const waiting = { to: account(30).address, nonce: 0, maxPriorityFeePerGas: 0n, gas: 21_000n }
    const first = await writer(20).sendTransaction({ ...waiting, maxFeePerGas: 100n })
    await expect(writer(20).sendTransaction({ ...waiting, maxFeePerGas: 101n })).rejects.toThrow('underpriced')
    const second = await writer(20).sendTransaction({ ...waiting, maxFeePerGas: 110n })
    expect(await rpc('eth_getTransactionByHash', [first])).toBe(null)
    expect(await rpc('eth_getTransactionByHash', [second])).toMatchObject({ hash: second, blockNumber: null })
  })

  test('keeps the time of the world, however fast it mines', async () => {
    const { rpc } = connect(await hardhat({ blockSeconds: 0.05 }))
    await new Promise((resolve) => setTimeout(resolve, 1500))
    const { timestamp, number } = (await rpc('eth_getBlockByNumber', ['latest', false])) as Record<string, Hex>
    expect(Number(number)).toBeGreaterThan(10)
    expect(Math.abs(Number(timestamp) - Date.now() / 1000)).toBeLessThan(2)
  })

  test('is refused a taken port', async () => {
    const port = await freePort()
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    await expect(startHardhat({ blockSeconds, port })).rejects.toThrow(`Port ${port} is taken by another program.`)
  })
})

describe('an anvil chain with a state file', () => {
  test('comes back with its blocks, receipts, logs and old states', async () => {
    const stateFile = join(await freshDirectory(), 'state.json')
    const first = await anvil({ stateFile })
    const { token, toBlock, before } = await live(first)
    await first.stop()
    const again = connect(await anvil({ stateFile }))
    expect(await readEverything(again, { token, toBlock })).toEqual(before)
    const { block, receipts } = before.blocks[1] ?? expect.unreachable()
    expect(await again.rpc('eth_getBlockReceipts', [block.hash])).toEqual(receipts)
  })

  test('whose file is half written says so', async () => {
    const stateFile = join(await freshDirectory(), 'state.json')
    await writeFile(stateFile, '{"block":{"number"')
    await expect(anvil({ stateFile })).rejects.toThrow(`The chain's state file ${stateFile} is incomplete`)
  })
})
