import { type Address, zeroAddress } from 'viem'
import { sequenceMax } from './chained.ts'
import { type ChainConfig, deadlineAheadSecondsMax, findToken, homeOf, modesOf, type TokenConfig } from './config.ts'
import { type Refusal, refusal } from './errors.ts'
import { intentNonceMax, isRepresentable } from './protocol/packed.ts'
import type { Taking } from './protocol/taking.ts'
import type { Payment } from './protocol/typed-data.ts'

export type Screened = { readonly outcome: 'ok'; readonly token: TokenConfig } | Refusal

/** Everything about a payment that needs no database and no cryptography, cheapest first. */
export function screen({
  chain,
  contract,
  payment,
  taking,
  nowSeconds,
}: {
  chain: ChainConfig
  contract: Address
  payment: Payment
  taking: Taking
  nowSeconds: number
}): Screened {
  if (contract !== chain.vault || !modesOf(chain).includes(taking.mode)) {
    const detail = `${contract} on chain ${chain.chainId} settles no payments of mode ${taking.mode}`
    const pullSettler = chain.pullSettler ?? null
    return refusal('wrong_contract', detail, { contract, mode: taking.mode, vault: homeOf(chain), pullSettler })
  }
  const token = findToken(chain, payment.token)
  if (token === undefined) {
    return refusal('token_unknown', `${payment.token} is not settled on chain ${chain.chainId}`, {
      token: payment.token,
    })
  }
  if (taking.mode === 'pull' && taking.means === 'authorization' && token.authorization === undefined) {
    return refusal('means_unsupported', `${token.symbol} on chain ${chain.chainId} takes no authorizations`, {
      token: token.address,
    })
  }
  const { payee, payer, amount, nonce, deadline } = payment
  // The contracts pay out what they owe and no more: what one sends the other is nobody's.
  const unpayable = [zeroAddress, chain.vault, homeOf(chain), chain.pullSettler, token.address, payer]
  if (unpayable.includes(payee)) {
    return refusal('payee_invalid', `${payee} cannot be paid`, { payee })
  }
  if (amount < token.amountMin || amount > token.amountMax) {
    return refusal(
      'amount_out_of_range',
      `${amount} is outside ${token.amountMin} to ${token.amountMax} ${token.symbol} units`,
      {
        amount: `${amount}`,
        min: `${token.amountMin}`,
        max: `${token.amountMax}`,
      },
    )
  }
  if (!isRepresentable(amount, token.scale)) {
    return refusal('amount_not_representable', `${amount} is not a multiple of ${token.scale} that fits 48 bits`, {
      amount: `${amount}`,
      scale: `${token.scale}`,
    })
  }
  const nonceMax = taking.mode === 'chained' ? sequenceMax : intentNonceMax
  if (nonce > nonceMax) {
    return refusal('nonce_out_of_window', `nonce ${nonce} is above ${nonceMax}`, { nonce: `${nonce}` })
  }
  const now = BigInt(nowSeconds)
  const earliest = now + BigInt(chain.promise.deadlineSecondsMin)
  if (deadline < earliest) {
    return refusal('intent_expired', `deadline ${deadline} is before ${earliest}, the earliest that can settle`, {
      deadline: `${deadline}`,
      earliest: `${earliest}`,
    })
  }
  const latest = now + BigInt(deadlineAheadSecondsMax)
  if (deadline > latest) {
    return refusal('deadline_too_far', `deadline ${deadline} is after ${latest}`, {
      deadline: `${deadline}`,
      latest: `${latest}`,
    })
  }
  return { outcome: 'ok', token }
}
