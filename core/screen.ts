import { type Address, zeroAddress } from 'viem'
import { type ChainConfig, deadlineAheadSecondsMax, findToken, type TokenConfig } from './config.ts'
import { type Refusal, refusal } from './errors.ts'
import { intentNonceMax, isRepresentable } from './protocol/packed.ts'
import type { Payment } from './protocol/typed-data.ts'

export type Screened = { readonly outcome: 'ok'; readonly token: TokenConfig } | Refusal

/** Everything about a payment that needs no database and no cryptography, cheapest first. */
export function screen({
  chain,
  contract,
  payment,
  nowSeconds,
}: {
  chain: ChainConfig
  contract: Address
  payment: Payment
  nowSeconds: number
}): Screened {
  if (contract !== chain.vault) {
    return refusal('wrong_contract', `${contract} is not the vault of chain ${chain.chainId}`, {
      contract,
      vault: chain.vault,
    })
  }
  const token = findToken(chain, payment.token)
  if (token === undefined) {
    return refusal('token_unknown', `${payment.token} is not settled on chain ${chain.chainId}`, {
      token: payment.token,
    })
  }
  const { payee, payer, amount, nonce, deadline } = payment
  if (payee === zeroAddress || payee === chain.vault || payee === token.address || payee === payer) {
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
  if (nonce > intentNonceMax) {
    return refusal('nonce_out_of_window', `nonce ${nonce} is above ${intentNonceMax}`, { nonce: `${nonce}` })
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
