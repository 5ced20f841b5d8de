import { type Hex, keccak256, serializeTransaction, type TransactionSerializable } from 'viem'

/** Asks the node in this process, past everything that stands between it and its clients. */
export type Rpc = <Result>(method: string, params?: readonly unknown[]) => Promise<Result>

/** As eth_getBlockByNumber returns it. */
export type RpcBlock = {
  readonly number: Hex
  readonly timestamp: Hex
  readonly hash: Hex
  readonly baseFeePerGas: Hex
  readonly transactions: readonly RpcTransaction[]
}

/** As it stands in a block. */
export type RpcTransaction = {
  readonly hash: Hex
  readonly type: Hex
  readonly chainId?: Hex
  readonly nonce: Hex
  readonly to: Hex | null
  readonly value: Hex
  readonly input: Hex
  readonly gas: Hex
  readonly gasPrice: Hex
  readonly maxFeePerGas?: Hex
  readonly maxPriorityFeePerGas?: Hex
  readonly accessList?: readonly { readonly address: Hex; readonly storageKeys: readonly Hex[] }[]
  readonly authorizationList?: readonly {
    readonly chainId: Hex
    readonly address: Hex
    readonly nonce: Hex
    readonly yParity: Hex
    readonly r: Hex
    readonly s: Hex
  }[]
  readonly v: Hex
  readonly r: Hex
  readonly s: Hex
}

export const toHex = (value: number): Hex => `0x${value.toString(16)}`

/** The signed bytes of a mined tx, which Hardhat does not hand out. Throws if they do not have its hash. */
export function rawTransaction(transaction: RpcTransaction): Hex {
  const raw = serializeTransaction(unsigned(transaction), {
    r: transaction.r,
    s: transaction.s,
    v: BigInt(transaction.v),
    ...(transaction.type === '0x0' ? {} : { yParity: Number(transaction.v) }),
  })
  if (keccak256(raw) !== transaction.hash)
    throw new Error(`The signed bytes of tx ${transaction.hash} cannot be rebuilt from its block.`)
  return raw
}

function unsigned(transaction: RpcTransaction): TransactionSerializable {
  const common = {
    nonce: Number(transaction.nonce),
    gas: BigInt(transaction.gas),
    value: BigInt(transaction.value),
    data: transaction.input,
    ...(transaction.to === null ? {} : { to: transaction.to }),
  }
  if (transaction.type === '0x0') {
    // 27 and 28 mean a signature from before EIP-155, which names no chain.
    const chain = Number(transaction.v) >= 35 && transaction.chainId ? { chainId: Number(transaction.chainId) } : {}
    return { ...common, ...chain, type: 'legacy', gasPrice: BigInt(transaction.gasPrice) }
  }
  const typed = { ...common, chainId: Number(transaction.chainId), accessList: transaction.accessList ?? [] }
  if (transaction.type === '0x1') return { ...typed, type: 'eip2930', gasPrice: BigInt(transaction.gasPrice) }
  const fees = {
    maxFeePerGas: BigInt(transaction.maxFeePerGas ?? 0),
    maxPriorityFeePerGas: BigInt(transaction.maxPriorityFeePerGas ?? 0),
  }
  if (transaction.type === '0x2') return { ...typed, ...fees, type: 'eip1559' }
  return {
    ...typed,
    ...fees,
    type: 'eip7702',
    authorizationList: (transaction.authorizationList ?? []).map(({ chainId, address, nonce, yParity, r, s }) => ({
      ...{ address, r, s },
      ...{ chainId: Number(chainId), nonce: Number(nonce), yParity: Number(yParity) },
    })),
  }
}
