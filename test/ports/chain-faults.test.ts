import { createServer } from 'node:http'
import { inspect } from 'node:util'
import { type Hex, keccak256 } from 'viem'
import { afterEach, describe, expect, test } from 'vitest'
import { connectChain } from '../../adapters/evm/chain.ts'
import { readRefusal } from '../../adapters/evm/send.ts'
import { type Chain, ChainUnavailableError } from '../../core/ports/chain.ts'
import { silent } from './chain.suite.ts'

const vault = '0x5FbDB2315678afecb367f032d93F642f64180aa3'
const hash: Hex = `0x${'ab'.repeat(32)}`
const block = {
  number: '0x10',
  hash,
  parentHash: `0x${'cd'.repeat(32)}`,
  timestamp: '0x64',
  logsBloom: `0x${'ff'.repeat(256)}`,
}
const head = { number: 16n, hash, parentHash: block.parentHash as Hex, at: 100n }
const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

type Asked = { readonly method: string; readonly params: readonly unknown[] }
type Answer =
  | { result: unknown }
  | { error: { code: number; message: string; data?: unknown } }
  | 'silence'
  | 'cut'
  | 'text'

/** A node that lies, stalls and breaks off on demand, which no real one does: it stands in for exactly that. */
async function nodeThat(answer: (asked: Asked, time: number) => Answer): Promise<{ chain: Chain; asked: Asked[] }> {
  const { rpcUrl, asked } = await serverThat(answer)
  return { chain: chainOn([rpcUrl]), asked }
}

const chainOn = (rpcUrls: readonly string[], log = silent): Chain =>
  connectChain({ chainId: 31337, rpcUrls: [...rpcUrls], vault, relayerId: 1, timeoutMillisMax: 300, log })

async function serverThat(answer: (asked: Asked, time: number) => Answer): Promise<{ rpcUrl: string; asked: Asked[] }> {
  const asked: Asked[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const question = JSON.parse(body) as Asked
    asked.push(question)
    const time = asked.filter(({ method }) => method === question.method).length
    const reply = answer(question, time)
    if (reply === 'cut') request.socket.destroy()
    else if (reply === 'text') response.writeHead(502).end('<html>Bad gateway</html>')
    else if (reply !== 'silence') response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, ...reply }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  return { rpcUrl: `http://127.0.0.1:${port}/v3/secret-access-key`, asked }
}

describe('a node that fails', () => {
  test.each(['silence', 'cut', 'text'] as const)(
    'a read that meets %s is asked three times, and then is no answer',
    async (fault) => {
      const { chain, asked } = await nodeThat(() => fault)
      await expect(chain.head()).rejects.toThrow(ChainUnavailableError)
      expect(asked).toHaveLength(3)
    },
  )

  test('a read that is cut off once is answered', async () => {
    const { chain } = await nodeThat((_, time) => (time === 1 ? 'cut' : { result: block }))
    expect(await chain.head()).toEqual(head)
  })

  test('a send that is cut off is not sent again by itself: whether it is out is a question to the chain', async () => {
    const { chain, asked } = await nodeThat(() => 'cut')
    await expect(chain.send('0x02aa')).rejects.toThrow(ChainUnavailableError)
    expect(asked).toHaveLength(1)
  })

  test('the access key in the URL shows in no error', async () => {
    for (const fault of ['silence', 'cut', 'text'] as const) {
      const { chain } = await nodeThat(() => fault)
      const error = await chain.head().catch((thrown: unknown) => thrown)
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('secret-access-key')
    }
  })
})

describe('a node that answers nonsense', () => {
  test.each([
    ['a head that is null', null],
    ['a head without a hash', { ...block, hash: undefined }],
    ['a head whose hash is short', { ...block, hash: '0xab' }],
    ['a head whose number is decimal', { ...block, number: '16' }],
    ['a pending head', { ...block, number: null }],
  ])('%s is no answer', async (_, result) => {
    const { chain } = await nodeThat(() => ({ result }))
    await expect(chain.head()).rejects.toThrow(ChainUnavailableError)
  })

  test('a send that is answered with the hash of another tx is no answer', async () => {
    const { chain } = await nodeThat(() => ({ result: hash }))
    await expect(chain.send('0x02aa')).rejects.toThrow(ChainUnavailableError)
    const honest = await nodeThat(() => ({ result: keccak256('0x02aa') }))
    expect(await honest.chain.send('0x02aa')).toEqual({ outcome: 'sent' })
  })

  test('an empty list of logs is not believed of a block whose filter holds the vault: its receipts decide', async () => {
    const log = {
      address: vault,
      topics: [hash],
      data: '0x',
      blockNumber: '0x10',
      blockHash: hash,
      transactionHash: hash,
      logIndex: '0x0',
    }
    const receipt = { blockHash: hash, logsBloom: block.logsBloom, logs: [log] }
    const answers =
      (shown: object | null) =>
      ({ method }: { method: string }) => {
        if (method === 'eth_getLogs') return { result: [] }
        return { result: method === 'eth_getTransactionReceipt' ? shown : { ...block, transactions: [hash] } }
      }
    const honest = await nodeThat(answers(receipt))
    expect(await honest.chain.events(head)).toEqual([])
    expect(honest.asked.map(({ method }) => method)).toEqual([
      'eth_getLogs',
      'eth_getBlockByHash',
      'eth_getTransactionReceipt',
    ])
    for (const shown of [null, { ...receipt, blockHash: block.parentHash }, { ...receipt, logsBloom: '0x00' }]) {
      const { chain } = await nodeThat(answers(shown))
      await expect(chain.events(head)).rejects.toThrow(ChainUnavailableError)
    }
  })

  test('an empty list of logs of a block that the node no longer has is no answer', async () => {
    const { chain } = await nodeThat(({ method }) => ({ result: method === 'eth_getLogs' ? [] : null }))
    await expect(chain.events(head)).rejects.toThrow(ChainUnavailableError)
  })

  test('logs of another block are no answer', async () => {
    const log = {
      address: vault,
      topics: [hash],
      data: '0x',
      blockNumber: '0x10',
      blockHash: block.parentHash,
      transactionHash: hash,
      logIndex: '0x0',
    }
    const { chain } = await nodeThat(() => ({ result: [log] }))
    await expect(chain.events(head)).rejects.toThrow(ChainUnavailableError)
  })

  test("an event of the vault's that does not fit its ABI is no answer, and none of somebody else's is ours", async () => {
    const deposited = '0x' // Deposited carries two words of data.
    const topic = keccak256(new TextEncoder().encode('Deposited(address,address,uint256,uint32)'))
    const log = {
      topics: [topic, hash, hash],
      data: deposited,
      blockNumber: '0x10',
      blockHash: hash,
      transactionHash: hash,
      logIndex: '0x0',
    }
    const ours = await nodeThat(() => ({ result: [{ ...log, address: vault }] }))
    await expect(ours.chain.events(head)).rejects.toThrow(ChainUnavailableError)
    const foreign = await nodeThat(() => ({ result: [{ ...log, address: `0x${'99'.repeat(20)}` }] }))
    expect(await foreign.chain.events(head)).toEqual([])
  })
})

describe('a node that knows less than others', () => {
  test.each([
    ['a null', { result: null }],
    [
      '"finalized block not found", as geth says before the first',
      { error: { code: -39001, message: 'finalized block not found' } },
    ],
    ['"Unknown block", as post-merge nodes say', { error: { code: -39001, message: 'Unknown block' } }],
    [
      '"invalid block tag", as nodes without the tag say',
      { error: { code: -32602, message: 'invalid argument 0: hex string without 0x prefix' } },
    ],
  ])('a finalized block that is answered with %s is absent', async (_, answer) => {
    const { chain } = await nodeThat(() => answer)
    expect(await chain.finalized()).toEqual({ outcome: 'absent' })
  })

  test('a finalized block that is answered with a fault of the node is no answer', async () => {
    const { chain } = await nodeThat(() => ({ error: { code: -32603, message: 'database is closed' } }))
    await expect(chain.finalized()).rejects.toThrow(ChainUnavailableError)
  })

  const history = { baseFeePerGas: ['0x7', '0x8'], reward: [['0x0']] }
  test.each([
    ['the advice', { result: '0x5' }, history, 5n],
    ['one wei, if the advice is zero', { result: '0x0' }, history, 1n],
    [
      'what others paid, without advice',
      { error: { code: -32601, message: 'no such method' } },
      { ...history, reward: [['0x3'], ['0x0'], ['0x9'], ['0x4']] },
      4n,
    ],
    ['a gwei, if nothing is known', { error: { code: -32601, message: 'no such method' } }, history, 1_000_000_000n],
  ])("the market's priority fee is %s, and its base fee that of the next block", async (_, advice, fees, priority) => {
    const { chain } = await nodeThat(({ method }) => (method === 'eth_feeHistory' ? { result: fees } : advice))
    expect(await chain.market()).toEqual({ baseFeePerGasWei: 8n, priorityFeePerGasWei: priority })
  })

  test('a simulation that the node cannot run is no revert', async () => {
    const { chain } = await nodeThat(({ method }) =>
      method === 'eth_getBlockByNumber'
        ? { result: block }
        : { error: { code: -32000, message: 'header for hash not found' } },
    )
    await expect(chain.simulate({ from: vault, payload: '0x01' })).rejects.toThrow(ChainUnavailableError)
  })
})

test.each([
  ['geth', 'already known', 'known'],
  ['older geth', 'known transaction: 0xabc', 'known'],
  ['Nethermind', 'AlreadyKnown', 'known'],
  ['anvil', 'transaction already imported', 'known'],
  ['geth', 'nonce too low: next nonce 5, tx nonce 4', 'nonce_too_low'],
  ['Nethermind', 'OldNonce, Current nonce: 5, nonce of rejected tx: 4', 'nonce_too_low'],
  ['Hardhat', 'Transaction nonce too low. Expected nonce to be at least 1 but got 0.', 'nonce_too_low'],
  ['geth', 'replacement transaction underpriced', 'underpriced'],
  ['geth', 'transaction underpriced: tip needed 1000000, tip permitted 1', 'underpriced'],
  ['anvil', 'max fee per gas less than block base fee', 'underpriced'],
  ['Nethermind', 'ReplacementNotAllowed', 'underpriced'],
  ['Nethermind', 'FeeTooLow, MaxFeePerGas too low', 'underpriced'],
  ['geth', 'nonce too high', 'refused'],
  ['geth', 'insufficient funds for gas * price + value: balance 0, tx cost 1', 'refused'],
  ['geth', 'exceeds block gas limit', 'refused'],
  ['geth', 'txpool is full', 'refused'],
] as const)('%s: "%s" means %s', (_, message, outcome) => {
  expect(readRefusal(message).outcome).toBe(outcome)
})

describe('several nodes', () => {
  type Node = Awaited<ReturnType<typeof serverThat>>
  /** A node at block `height` of chain 31337, or of another one. */
  const healthy = (height = 16, chainId = 31337) =>
    serverThat(({ method }) => {
      if (method === 'eth_chainId') return { result: `0x${chainId.toString(16)}` }
      if (method === 'eth_blockNumber') return { result: `0x${height.toString(16)}` }
      return { result: { ...block, number: `0x${height.toString(16)}` } }
    })
  const broken = (fault: 'silence' | 'cut' | 'text') => serverThat(() => fault)
  const countOf = ({ asked }: Node, method: string) => asked.filter((each) => each.method === method).length
  const heads = (node: Node) => countOf(node, 'eth_getBlockByNumber')

  test('all is asked of the first while it answers', async () => {
    const [first, second] = [await healthy(), await healthy()]
    const chain = chainOn([first.rpcUrl, second.rpcUrl])
    for (let round = 0; round < 5; round++) expect(await chain.head()).toEqual(head)
    expect([heads(first), heads(second)]).toEqual([5, 0])
  })

  test.each(['silence', 'cut', 'text'] as const)('what meets %s goes to the next at once', async (fault) => {
    const [first, second] = [await broken(fault), await healthy()]
    expect(await chainOn([first.rpcUrl, second.rpcUrl]).head()).toEqual(head)
    expect(heads(second)).toBe(1)
  })

  test('after three failures in a row the first is put aside, and said to be by its host alone', async () => {
    const [first, second] = [await broken('cut'), await healthy()]
    const said: unknown[] = []
    const chain = chainOn([first.rpcUrl, second.rpcUrl], { ...silent, warn: (facts) => said.push(facts) })
    for (let round = 0; round < 6; round++) await chain.head()
    const asked = first.asked.length
    for (let round = 0; round < 6; round++) await chain.head()
    expect(first.asked.length).toBe(asked)
    expect(said[0]).toMatchObject({ endpoint: new URL(first.rpcUrl).host, why: expect.stringContaining('HTTP failed') })
    expect(inspect(said)).not.toContain('secret-access-key')
  })

  test('a node of another chain is never believed, not even for a block', async () => {
    const [first, second] = [await healthy(99, 1), await healthy()]
    expect(await chainOn([first.rpcUrl, second.rpcUrl]).head()).toEqual(head)
    expect(heads(first)).toBe(0)
  })

  test('with nothing but nodes of another chain, there is no answer', async () => {
    const [first, second] = [await healthy(99, 1), await healthy(99, 10)]
    await expect(chainOn([first.rpcUrl, second.rpcUrl]).head()).rejects.toThrow(ChainUnavailableError)
  })

  test.each([
    [4, true],
    [3, false],
  ])('a node %i blocks behind the other is put aside: %s', async (blocks, isAside) => {
    const [first, second] = [await healthy(16 - blocks), await healthy(16)]
    const said: unknown[] = []
    const chain = chainOn([first.rpcUrl, second.rpcUrl], { ...silent, warn: (facts) => said.push(facts) })
    await chain.head()
    await expect.poll(() => [countOf(first, 'eth_blockNumber'), countOf(second, 'eth_blockNumber')]).toEqual([1, 1])
    if (isAside) await expect.poll(() => said.length).toBe(1)
    await chain.head()
    expect([heads(first), heads(second)]).toEqual(isAside ? [1, 1] : [2, 0])
  })

  test('one node that runs ahead of two others puts nobody aside', async () => {
    const [first, second, third] = [await healthy(16), await healthy(16), await healthy(1_000)]
    const said: unknown[] = []
    const chain = chainOn([first.rpcUrl, second.rpcUrl, third.rpcUrl], { ...silent, warn: (facts) => said.push(facts) })
    await chain.head()
    await expect.poll(() => [first, second, third].map((node) => countOf(node, 'eth_blockNumber'))).toEqual([1, 1, 1])
    expect(await chain.head()).toEqual(head)
    expect(said).toEqual([])
  })

  test('a block that one node does not know yet is read from one that does', async () => {
    const unknown = { error: { code: -32000, message: 'header not found' } }
    const first = await serverThat(({ method }) => (method === 'eth_chainId' ? { result: '0x7a69' } : unknown))
    const second = await serverThat(({ method }) =>
      method === 'eth_chainId' ? { result: '0x7a69' } : { result: `0x${'00'.repeat(31)}01` },
    )
    expect(await chainOn([first.rpcUrl, second.rpcUrl]).isPaused(hash)).toBe(true)
  })

  test('a tx that the first node did not take goes to the second, once each', async () => {
    const sends = { result: keccak256('0x02aa') }
    const first = await serverThat(({ method }) => (method === 'eth_chainId' ? { result: '0x7a69' } : 'cut'))
    const second = await serverThat(({ method }) => (method === 'eth_chainId' ? { result: '0x7a69' } : sends))
    expect(await chainOn([first.rpcUrl, second.rpcUrl]).send('0x02aa')).toEqual({ outcome: 'sent' })
    expect([first, second].map((node) => countOf(node, 'eth_sendRawTransaction'))).toEqual([1, 1])
  })

  test('a refusal of a tx is an answer: it is not offered elsewhere', async () => {
    const low = { error: { code: -32000, message: 'nonce too low' } }
    const first = await serverThat(({ method }) => (method === 'eth_chainId' ? { result: '0x7a69' } : low))
    const second = await healthy()
    expect(await chainOn([first.rpcUrl, second.rpcUrl]).send('0x02aa')).toEqual({ outcome: 'nonce_too_low' })
    expect(countOf(second, 'eth_sendRawTransaction')).toBe(0)
  })

  test('when all fail, all are tried, three rounds of them, and then there is no answer', async () => {
    const nodes = [await broken('cut'), await broken('text')]
    await expect(chainOn(nodes.map(({ rpcUrl }) => rpcUrl)).head()).rejects.toThrow(ChainUnavailableError)
    for (const { asked } of nodes) expect(asked.length).toBeGreaterThanOrEqual(3)
  })
})
