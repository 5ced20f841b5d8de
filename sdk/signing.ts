import { type Address, type Hex, recoverAddress } from 'viem'
import type { Signable } from '../core/protocol/signable.ts'
import { parseSignature } from '../core/protocol/signature.ts'
import { WalletError } from './errors.ts'
import { isSameHex } from './facts.ts'

/** What wallets put into a page, or hand out through EIP-6963. @see EIP-1193 */
export type Provider = {
  readonly request: (call: { readonly method: string; readonly params?: readonly unknown[] }) => Promise<unknown>
}

const declinedCode = 4001
const hexPattern = /^0x[0-9a-fA-F]+$/

/**
 * Asks the wallet with eth_signTypedData_v4 and checks what it gives: 65 or 64 bytes, of this account, over this digest.
 * @throws WalletError if its user says no, it is on another chain, or it signs otherwise
 */
export async function signWith(provider: Provider, account: Address, { typedData, digest }: Signable): Promise<Hex> {
  const chainId = Number(await asked(provider, 'eth_chainId'))
  if (chainId !== typedData.domain.chainId) {
    const detail = `the wallet is on chain ${chainId}, the payment on ${typedData.domain.chainId}: switch it and sign again`
    throw new WalletError('wrong_chain', detail)
  }
  const answer = await asked(provider, 'eth_signTypedData_v4', [account, JSON.stringify(typedData)])
  const parsed = typeof answer === 'string' && hexPattern.test(answer) ? parseSignature(answer as Hex) : undefined
  if (parsed === undefined || parsed.outcome === 'malformed') {
    throw new WalletError('wrong_signature', `the wallet gave no signature: ${parsed?.reason ?? 'no hex'}`)
  }
  const signer = await recoverAddress({ hash: digest, signature: parsed.full }).catch(() => 'nobody')
  if (isSameHex(signer, account)) return parsed.full
  throw new WalletError('wrong_signature', `${signer} signed, ${account} was asked: choose that account and sign again`)
}

/** @throws WalletError instead of what the wallet throws */
export async function asked(provider: Provider, method: string, params: readonly unknown[] = []): Promise<unknown> {
  try {
    return await provider.request({ method, params })
  } catch (cause) {
    const { code, message } = { code: undefined, message: undefined, ...(cause as object) } as Record<string, unknown>
    if (code === declinedCode) throw new WalletError('declined', 'the user of the wallet said no', { cause })
    const said = cause instanceof Error ? cause.message : message
    throw new WalletError('failed', `the wallet did not answer ${method}: ${said}`, { cause })
  }
}
