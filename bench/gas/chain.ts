import hre from 'hardhat'
import {
  type Abi,
  type Address,
  encodeDeployData,
  type Hex,
  keccak256,
  numberToHex,
  type RpcLog,
  stringToHex,
} from 'viem'
import { privateKeyToAccount, sign } from 'viem/accounts'
import { parseSignature } from '../../core/protocol/signature.ts'

/** Unix seconds of the first block. Fixed, because a zero byte in a deadline would change the gas of calldata. */
export const startsAt = 1_800_000_000
export const chainId = 31_337
/** EIP-7825: no transaction may have more. */
const transactionGasMax = 16_777_216

/** One account of the run. Its key is its number, so that addresses, signatures and gas are the same in every run. */
export type Account = { readonly address: Address; readonly key: Hex }
type Receipt = {
  readonly gasUsed: bigint
  readonly contractAddress: Address | null
  readonly logs: readonly RpcLog[]
}
/** Without `to` it deploys. */
export type Transaction = { readonly from: Account; readonly to?: Address; readonly data: Hex }
export type Chain = Awaited<ReturnType<typeof openChain>>

export function accountOf(number: number): Account {
  const key = numberToHex(number, { size: 32 })
  return { key, address: privateKeyToAccount(key).address }
}

export function accountsFrom(first: number, count: number): readonly Account[] {
  return Array.from({ length: count }, (_, i) => accountOf(first + i))
}

/** A Hardhat chain in this process that knows the keys of `accounts`. Gas costs nothing, so that nobody needs ether. */
export async function openChain(accounts: readonly Account[]) {
  const { provider, close } = await hre.network.create({
    network: 'default',
    override: {
      chainId,
      initialDate: new Date(startsAt * 1000),
      // Else every block is a second later, and the payments of a long run would outlive their deadlines.
      allowBlocksWithSameTimestamp: true,
      initialBaseFeePerGas: 0,
      accounts: accounts.map(({ key }) => ({ privateKey: key, balance: 0n })),
    },
  })
  const request = async (method: string, params: readonly unknown[]): Promise<unknown> =>
    provider.request({ method, params: [...params] })

  /** Mines one transaction. @throws if it reverts: a figure of a failed one would be worth nothing */
  async function post({ from, to, data }: Transaction): Promise<Hex> {
    const gas = numberToHex(transactionGasMax)
    const hash = await request('eth_sendTransaction', [
      { from: from.address, ...(to && { to }), data, gas, gasPrice: '0x0' },
    ])
    return hash as Hex
  }

  /** The same with its receipt, which setting the stage can do without. */
  async function send(transaction: Transaction): Promise<Receipt> {
    const hash = await post(transaction)
    const receipt = (await request('eth_getTransactionReceipt', [hash])) as Omit<Receipt, 'gasUsed'> & { gasUsed: Hex }
    return { ...receipt, gasUsed: BigInt(receipt.gasUsed) }
  }

  async function deploy(from: Account, name: string, args: readonly unknown[] = []): Promise<Address> {
    const { abi, bytecode } = await hre.artifacts.readArtifact(name)
    const { contractAddress } = await send({
      from,
      data: encodeDeployData({ abi: abi as Abi, bytecode: bytecode as Hex, args }),
    })
    if (!contractAddress) throw new Error(`${name} was not deployed`)
    return contractAddress
  }

  async function advance(seconds: number): Promise<void> {
    await request('evm_increaseTime', [numberToHex(seconds)])
  }

  return { post, send, deploy, advance, close }
}

/** 65 bytes, RFC 6979: the same digest gives the same signature. */
export function signDigest({ key }: Account, hash: Hex): Promise<Hex> {
  return sign({ privateKey: key, hash, to: 'hex' })
}

/** The same in the 64 bytes of EIP-2098. */
export async function compactOf(account: Account, hash: Hex): Promise<Hex> {
  const parsed = parseSignature(await signDigest(account, hash))
  if (parsed.outcome !== 'ok') throw new Error(parsed.reason)
  return parsed.compact
}

/** Bytes that look random, as real order references and EIP-3009 nonces do, and are the same in every run. */
export function scatter(label: string): Hex {
  return keccak256(stringToHex(label))
}

/** Between 1 and 10 tokens of 6 decimals, scattered: equal amounts would compress better than real ones do. */
export function amountOf(payment: number): bigint {
  return 1_000_000n + ((BigInt(payment) * 7_368_787n) % 9_000_000n)
}
