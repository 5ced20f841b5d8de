import type { Address } from 'viem'
import { type ChainConfig, contractsOf } from '../../core/config.ts'
import { type Books, payerWith } from './books.ts'
import { settledUpTo } from './chained.ts'
import { chain, freshAddress } from './payments.ts'

/** The pull settler beside the vault of `chain`. */
export const [, settler] = contractsOf({ ...chain, pullSettler: freshAddress() }) as [ChainConfig, ChainConfig]

/** A payer with 1,000 in its independent account, 500 in its chained one and 300, of which 200 are allowed, in the wallet. */
export async function richPayer(books: Pick<Books, 'accounts'>): Promise<Address> {
  const payer = await payerWith(books, 1_000n)
  await payerWith(books, 500n, { payer, mode: 'chained', ...settledUpTo(0n) })
  await payerWith(books, 300n, { payer, mode: 'pull', on: settler, allowance: 200n })
  return payer
}
