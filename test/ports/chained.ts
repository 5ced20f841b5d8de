import type { Address, Hex } from 'viem'
import { createFinalization } from '../../adapters/postgres/finalization.ts'
import type { Candidate } from '../../core/admit.ts'
import { linkOf, zeroLink } from '../../core/chained.ts'
import type { Finality } from '../../core/ports/finalization.ts'
import { type Books, payerWith } from './books.ts'
import { candidate, chain, funded, usdc } from './payments.ts'
import type { postgresBooks } from './postgres-books.ts'

/** A payer with a chained account that has settled nothing. */
export const chainedPayer = (books: Pick<Books, 'accounts'>, balance: bigint): Promise<Address> =>
  payerWith(books, balance, { mode: 'chained', ...settledUpTo(0n) })

/** What the chain says of a chained account after so many payments. */
export const settledUpTo = (topNonce: bigint, head: Hex = zeroLink) => ({
  ...{ topNonce, head, nonceWindow: 2n ** 64n - 1n },
})

export const accountOf = (payer: Address) => ({
  ...{ chainId: chain.chainId, vault: chain.vault, payer, token: usdc.address, mode: 'chained' as const },
})

/** Payments of one account, each signed after the one before it; the first of them after `after`. */
export function signedAfter(
  after: Candidate | undefined,
  all: readonly (Parameters<typeof candidate>[0] & { readonly payer: Address })[],
): readonly Candidate[] {
  const made: Candidate[] = []
  for (const terms of all) {
    const last = made.at(-1) ?? after
    const nonce = last === undefined ? 1n : last.payment.nonce + 1n
    const taking = { mode: 'chained', previous: last === undefined ? zeroLink : linkAfter(last) } as const
    made.push(candidate({ ...terms, nonce, taking }))
  }
  return made
}

export function linkAfter({ payment, taking, token }: Candidate): Hex {
  if (taking.mode !== 'chained') throw new Error(`a payment of mode ${taking.mode}`)
  return linkOf(payment, taking.previous, token.scale)
}

/** A step of finality in which these accounts were read, and every batch that is included until then is final. */
export async function finalize(
  { database }: Pick<Awaited<ReturnType<typeof postgresBooks>>, 'database'>,
  { number, at, accounts }: { number: bigint; at: bigint; accounts: readonly Finality['accounts'][number][] },
): Promise<void> {
  const finalization = createFinalization(database)
  const { chainId, vault } = chain
  const view = await finalization.view(chainId, vault)
  if (view === undefined) throw new Error('the vault is not followed')
  const hash = `0x${number.toString(16).padStart(64, '0')}` as const
  const outcome = await finalization.apply(chainId, vault, view, {
    block: { number, hash, parentHash: view.finalizedHash, at },
    batches: await finalization.batches(chainId, vault, number),
    ...{ outside: [], settling: [], entries: [], accounts },
  })
  if (outcome !== 'applied') throw new Error(outcome)
}

export const refreshed = (payer: Address, balance: bigint, topNonce: bigint, head?: Hex) => ({
  ...{ payer, token: usdc.address, mode: 'chained' as const },
  state: funded(balance, settledUpTo(topNonce, head)),
})
