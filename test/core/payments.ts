import { type Address, getAddress, type Hex, padHex, toHex } from 'viem'
import type { AccountState } from '../../core/account.ts'
import type { BookedAccount, BookedOrder, Books, Candidate } from '../../core/admit.ts'
import { type ChainConfig, configSchema } from '../../core/config.ts'
import type { Taking } from '../../core/protocol/taking.ts'
import { type Payment, zeroOrderRef } from '../../core/protocol/typed-data.ts'

/** Unix seconds at which these tests happen. */
export const now = 1_790_000_000

export const addressOf = (number: number): Address => getAddress(padHex(toHex(number), { size: 20 }))
export const vault = addressOf(0xfa)
export const payee = addressOf(0x3e)
export const payer = addressOf(0xa1)
export const dollar = addressOf(0xd0)
export const longDollar = addressOf(0xd1)

/** As a configuration file says it, with everything else by default. */
export const chainJson = {
  chainId: 31_337,
  name: 'test',
  rpcUrls: ['http://127.0.0.1:8545'],
  vault,
  relayerId: 1,
  blockSeconds: 1,
  finality: { rule: 'depth', depth: 2 },
  tokens: [
    {
      address: dollar,
      symbol: 'USD',
      decimals: 6,
      scale: '1',
      amountMin: '100',
      amountMax: '1000000',
      holdAbove: '500000',
    },
    {
      address: longDollar,
      symbol: 'LUSD',
      decimals: 18,
      scale: '1000000000000',
      amountMin: '1',
      amountMax: `${10n ** 30n}`,
      holdAbove: `${10n ** 30n}`,
    },
  ],
} as const

export const chain = configSchema.parse({ chains: [chainJson] }).chains[0] as ChainConfig

export const payment: Payment = {
  payer,
  payee,
  token: dollar,
  amount: 1_000n,
  nonce: 0n,
  deadline: BigInt(now + 4 * 3600),
  orderRef: zeroOrderRef,
}

export const account: AccountState = {
  balance: 10_000n,
  topNonce: 0n,
  nonceWindow: 0n,
  relayerId: 1,
  withdrawAmount: 0n,
  isRebinding: false,
}

/** A candidate of its own for each `number`: nonce, id and digest follow it. */
export function candidate(
  number: number,
  {
    appId = 'app_a',
    orderId,
    digest = padHex(toHex(number + 1), { size: 32 }),
    taking = { mode: 'independent' },
    ...terms
  }: Partial<Payment> & {
    appId?: string
    orderId?: string
    digest?: Hex
    taking?: Taking
  } = {},
): Candidate {
  const token = chain.tokens[0]
  if (token === undefined) throw new Error('the chain has no token')
  return {
    id: `pi_${number}`,
    appId,
    chain,
    token,
    payment: { ...payment, nonce: BigInt(number), ...terms },
    taking,
    digest,
    signature: `0x${'11'.repeat(64)}`,
    orderId,
  }
}

export function books({
  booked = { state: account, reserved: 0n, openNonces: [] },
  order,
  existing,
  headAgeSeconds = 0,
  isPaused = false,
}: {
  booked?: BookedAccount | undefined
  order?: BookedOrder
  existing?: { readonly id: string; readonly appId: string }
  headAgeSeconds?: number
  isPaused?: boolean
} = {}): Books {
  return {
    account: () => booked,
    existing: () => existing,
    order: () => order,
    view: () => ({ headAgeSeconds, finalizedAgeSeconds: 0, isPaused }),
  }
}
