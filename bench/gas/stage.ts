import { type Address, encodeFunctionData, getAddress, type Hex, hashDomain, parseAbi } from 'viem'
import { vaultAbi } from '../../core/protocol/vault-abi.ts'
import { type Account, accountOf, accountsFrom, type Chain, chainId, openChain } from './chain.ts'

export const payersMax = 1_000
const payeesMax = 10
const mintedPerCall = 250
const startBalance = 1_000_000_000_000n
export const relayerId = 7

export const tokenAbi = parseAbi([
  'function approve(address spender, uint256 amount)',
  'function transfer(address to, uint256 amount)',
  'function mint(address[] holders, uint256 amount)',
  'function transferWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, uint8 v, bytes32 r, bytes32 s)',
])

export type Stage = {
  readonly chain: Chain
  readonly owner: Account
  readonly relayer: Account
  readonly payers: readonly Account[]
  readonly payees: readonly Account[]
  /** The token of all scenarios: EIP-3009 on OpenZeppelin's ERC-20. */
  readonly token: Address
  /** A plain OpenZeppelin ERC-20, to show how little the vault depends on the token. */
  readonly demoToken: Address
  readonly vault: Address
  readonly pullSettler: Address
  readonly multicall: Address
  readonly naiveBatch: Address
}

/**
 * Everything that any scenario needs, on one chain: the contracts at addresses that depend on nothing but this order,
 * and payers and payees who hold some of the token.
 */
export async function openStage(): Promise<Stage> {
  const owner = accountOf(1)
  const relayer = accountOf(2)
  const payers = accountsFrom(1_000, payersMax)
  const payees = accountsFrom(9_000, payeesMax)
  const chain = await openChain([owner, relayer, ...payers])

  const token = getAddress(await chain.deploy(owner, 'AuthorizationToken'))
  const vault = getAddress(await chain.deploy(owner, 'Vault', [owner.address]))
  const demoToken = getAddress(await chain.deploy(owner, 'DemoToken', ['Demo Dollar', 'DUSD', 6]))
  const multicall = getAddress(await chain.deploy(owner, 'Multicall'))
  const naiveBatch = getAddress(await chain.deploy(owner, 'NaiveBatch'))
  const pullSettler = getAddress(await chain.deploy(owner, 'PullSettler', [vault]))

  const configure = (data: ReturnType<typeof encodeFunctionData>) => chain.post({ from: owner, to: vault, data })
  await configure(encodeFunctionData({ abi: vaultAbi, functionName: 'addRelayer', args: [relayer.address, relayerId] }))
  for (const listed of [token, demoToken]) {
    await configure(encodeFunctionData({ abi: vaultAbi, functionName: 'listToken', args: [listed, 1n, 0n] }))
  }

  const holders = [...payers, ...payees].map(({ address }) => address)
  for (let at = 0; at < holders.length; at += mintedPerCall) {
    const args = [holders.slice(at, at + mintedPerCall), startBalance] as const
    await chain.post({
      from: owner,
      to: token,
      data: encodeFunctionData({ abi: tokenAbi, functionName: 'mint', args }),
    })
  }
  return { chain, owner, relayer, payers, payees, token, demoToken, vault, pullSettler, multicall, naiveBatch }
}

/** The domain in which payers sign for the token of all scenarios. */
export function tokenSeparator(token: Address): Hex {
  return hashDomain({
    domain: { name: 'Bench Dollar', version: '1', chainId: BigInt(chainId), verifyingContract: token },
    types: {
      EIP712Domain: [
        { name: 'name', type: 'string' },
        { name: 'version', type: 'string' },
        { name: 'chainId', type: 'uint256' },
        { name: 'verifyingContract', type: 'address' },
      ],
    },
  })
}

/** Once per payer and spender. Unlimited, because a token then leaves the allowance as it is, which is cheaper. */
export function approveAll(spender: Address) {
  return encodeFunctionData({ abi: tokenAbi, functionName: 'approve', args: [spender, 2n ** 256n - 1n] })
}
