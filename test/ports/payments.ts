import { randomBytes } from 'node:crypto'
import { type Address, getAddress, type Hex, toHex } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { newId } from '../../adapters/postgres/codec.ts'
import type { AccountState } from '../../core/account.ts'
import type { Candidate } from '../../core/admit.ts'
import { type ChainConfig, configSchema, type TokenConfig } from '../../core/config.ts'
import { amountMax } from '../../core/money.ts'
import { type Order, orderHashOf, orderRefOf } from '../../core/order.ts'
import type { Acknowledger } from '../../core/ports/intake.ts'
import { intentDigest, type Taking } from '../../core/protocol/taking.ts'
import {
  acknowledgementKeyDigest,
  acknowledgementRootDigest,
  domainOf,
  domainSeparator,
  type Payment,
  zeroOrderRef,
} from '../../core/protocol/typed-data.ts'

export const freshAddress = (): Address => getAddress(toHex(randomBytes(20)))
export const nowSeconds = (): number => Math.floor(Date.now() / 1000)

/** Payments above this wait for an operator. */
export const holdAbove = 1_000_000_000n

const chainOf = (chainId: number): ChainConfig => {
  const token = { decimals: 6, scale: '1', amountMin: '1', amountMax: `${amountMax}` }
  const [chain] = configSchema.parse({
    chains: [
      {
        chainId,
        name: `local-${chainId}`,
        rpcUrls: ['http://127.0.0.1:8545'],
        vault: freshAddress(),
        relayerId: 7,
        blockSeconds: 1,
        finality: { rule: 'depth', depth: 2 },
        tokens: [
          { ...token, address: freshAddress(), symbol: 'USDC', holdAbove: `${holdAbove}` },
          { ...token, address: freshAddress(), symbol: 'HUGE', holdAbove: `${amountMax}` },
        ],
      },
    ],
  }).chains
  if (chain === undefined) throw new Error('no chain')
  return chain
}
/** Two vaults on two chains: a promise for one is signed in a domain that is worthless on the other. */
export const chain = chainOf(31337)
export const otherChain = chainOf(31338)

const tokenAt = (index: number): TokenConfig => {
  const token = chain.tokens[index]
  if (token === undefined) throw new Error('no such token')
  return token
}
export const usdc = tokenAt(0)
/** Nothing of it is ever held, so that amounts of 78 digits pass. */
export const huge = tokenAt(1)

export const finalBlock = 100n
/** Bound, with no nonce spent. */
export const funded = (balance: bigint, change: Partial<AccountState> = {}): AccountState => ({
  balance,
  topNonce: 0n,
  nonceWindow: 0n,
  relayerId: chain.relayerId,
  withdrawAmount: 0n,
  isRebinding: false,
  ...change,
})

/** A payment as it comes from the edge, which has checked its signature: here it is random bytes. */
export function candidate({
  appId = 'app-a',
  on = chain,
  orderId,
  taking = { mode: 'independent' },
  ...fields
}: Partial<Payment> & { appId?: string; on?: ChainConfig; orderId?: string; taking?: Taking } = {}): Candidate {
  const token = on.tokens.find(({ address }) => address === fields.token) ?? on.tokens[0]
  if (token === undefined) throw new Error('no such token')
  const payment: Payment = {
    payer: freshAddress(),
    payee: freshAddress(),
    token: token.address,
    amount: 100n,
    nonce: 0n,
    deadline: BigInt(nowSeconds() + 4 * 3600),
    orderRef: zeroOrderRef,
    ...fields,
  }
  const separator = domainSeparator(domainOf(on))
  const signature: Hex = toHex(randomBytes(64))
  const digest = intentDigest(separator, payment, taking)
  return { id: newId('pi'), appId, chain: on, token, payment, taking, digest, signature, orderId }
}

export function order(fields: Partial<Order & { salt: Hex }> = {}): Order & { readonly salt: Hex } {
  const id = newId('po')
  const salt = toHex(randomBytes(16))
  const orderHash = orderHashOf({ id, salt, reference: 'INV-1' })
  return {
    id,
    salt,
    appId: 'app-m',
    chainId: chain.chainId,
    payee: freshAddress(),
    token: usdc.address,
    amount: 100n,
    reference: 'INV-1',
    orderHash,
    orderRef: orderRefOf(orderHash),
    expiresAt: BigInt(nowSeconds() + 3600),
    ...fields,
  }
}

/** Real keys: what it signs recovers to `key`, which `authority` certified. */
export async function localAcknowledger(): Promise<Acknowledger> {
  const authority = privateKeyToAccount(generatePrivateKey())
  const key = privateKeyToAccount(generatePrivateKey())
  const separatorOf = (chainId: number) => domainSeparator(domainOf(chainId === chain.chainId ? chain : otherChain))
  const certify = async (chainId: number) => {
    const certified = { relayerId: 7, key: key.address, notBefore: 0n, notAfter: BigInt(nowSeconds() + 86_400) }
    const hash = acknowledgementKeyDigest(separatorOf(chainId), certified)
    return [chainId, { ...certified, authority: authority.address, signature: await authority.sign({ hash }) }] as const
  }
  const certificates = new Map(await Promise.all([certify(chain.chainId), certify(otherChain.chainId)]))
  return {
    certificate: (chainId) => {
      const certificate = certificates.get(chainId)
      if (certificate === undefined) throw new Error(`no key for chain ${chainId}`)
      return certificate
    },
    signRoot: (chainId, root) => key.sign({ hash: acknowledgementRootDigest(separatorOf(chainId), root) }),
  }
}
