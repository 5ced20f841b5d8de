import { createRequire } from 'node:module'
import { createPublicClient, createWalletClient, defineChain, type Hex, http, parseAbi } from 'viem'
import { mnemonicToAccount } from 'viem/accounts'

/** A token with the least that makes ERC-20 traffic: balances, transfers, events. */
const source = `
  contract Token {
    event Transfer(address indexed from, address indexed to, uint256 value);
    mapping(address => uint256) public balanceOf;
    constructor() { balanceOf[msg.sender] = 1e24; }
    function transfer(address to, uint256 value) external returns (bool) {
      balanceOf[msg.sender] -= value;
      balanceOf[to] += value;
      emit Transfer(msg.sender, to, value);
      return true;
    }
  }`

const tokenAbi = parseAbi([
  'event Transfer(address indexed from, address indexed to, uint256 value)',
  'function balanceOf(address) view returns (uint256)',
  'function transfer(address to, uint256 value) returns (bool)',
])

/** As nodes fund it. */
export const account = (addressIndex: number) =>
  mnemonicToAccount('test test test test test test test test test test test junk', { addressIndex })

export function connect({ rpcUrl, chainId }: { readonly rpcUrl: string; readonly chainId: number }) {
  const chain = defineChain({
    id: chainId,
    name: 'embedded',
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [rpcUrl] } },
  })
  const transport = http(rpcUrl)
  const reader = createPublicClient({ chain, transport, pollingInterval: 20, cacheTime: 0 })
  const writer = (addressIndex: number) => createWalletClient({ chain, transport, account: account(addressIndex) })
  /** Any method, typed or not. */
  const rpc = (method: string, params: readonly unknown[] = []) =>
    reader.request({ method, params } as never) as Promise<unknown>
  return { reader, writer, rpc }
}

export type Connection = ReturnType<typeof connect>

export async function deployToken({ reader, writer }: Connection): Promise<Hex> {
  const hash = await writer(0).deployContract({ abi: tokenAbi, bytecode: compile() })
  const { contractAddress } = await reader.waitForTransactionReceipt({ hash })
  if (!contractAddress) throw new Error('The token was not deployed.')
  return contractAddress
}

/** A block full of transfers of different kinds: nonces in a row, three tx types, one that reverts. */
export async function sendTraffic({ writer }: Connection, token: Hex): Promise<Hex[]> {
  const hashes: Hex[] = []
  const call = { address: token, abi: tokenAbi, functionName: 'transfer', gas: 100_000n } as const
  const fees = { maxFeePerGas: 10n ** 11n, maxPriorityFeePerGas: 10n ** 9n }
  for (const to of [5, 6, 7])
    hashes.push(await writer(0).writeContract({ ...call, ...fees, args: [account(to).address, 100n] }))
  hashes.push(await writer(1).writeContract({ ...call, ...fees, args: [account(0).address, 1n] }))
  const legacy = { type: 'legacy', gasPrice: 10n ** 11n, value: 1n, to: account(9).address } as const
  hashes.push(await writer(2).sendTransaction(legacy))
  const accessList = [{ address: token, storageKeys: [] }]
  hashes.push(await writer(3).sendTransaction({ ...legacy, type: 'eip2930', accessList }))
  return hashes
}

/** All that must be the same after a restart, for the blocks up to `toBlock`. */
export async function readEverything(
  { reader, rpc }: Connection,
  { token, toBlock }: { readonly token: Hex; readonly toBlock: bigint },
) {
  const blocks = []
  for (let number = 0n; number <= toBlock; number++) {
    const block = (await rpc('eth_getBlockByNumber', [`0x${number.toString(16)}`, true])) as {
      hash: Hex
      transactions: { hash: Hex }[]
    }
    const receipts = await Promise.all(block.transactions.map(({ hash }) => rpc('eth_getTransactionReceipt', [hash])))
    const logs = await rpc('eth_getLogs', [{ blockHash: block.hash }])
    const call = { to: token, data: `0x70a08231${account(5).address.slice(2).toLowerCase().padStart(64, '0')}` }
    const balance = await rpc('eth_call', [call, { blockHash: block.hash }])
    const nonce = await rpc('eth_getTransactionCount', [account(0).address, { blockHash: block.hash }])
    blocks.push({ block, receipts, logs, balance, nonce })
  }
  return { blocks, latest: await reader.getBalance({ address: account(9).address }) }
}

type Solc = { compile(input: string): string }
type Compiled = {
  readonly contracts: {
    readonly 'Token.sol': { readonly Token: { readonly evm: { readonly bytecode: { readonly object: string } } } }
  }
}

function compile(): Hex {
  const solc = createRequire(import.meta.url)('solc') as Solc
  const settings = { outputSelection: { '*': { '*': ['evm.bytecode.object'] } } }
  const input = { language: 'Solidity', sources: { 'Token.sol': { content: source } }, settings }
  const { contracts } = JSON.parse(solc.compile(JSON.stringify(input))) as Compiled
  return `0x${contracts['Token.sol'].Token.evm.bytecode.object}`
}
