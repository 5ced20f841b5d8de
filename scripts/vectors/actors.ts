import { bytesToHex, getContractAddress, type Hex } from 'viem'
import { mnemonicToAccount, sign } from 'viem/accounts'
import { parseSignature } from '../../core/protocol/signature.ts'
import { domainOf } from '../../core/protocol/typed-data.ts'

const mnemonic = 'test test test test test test test test test test test junk'
export const source = `scripts/generate-vectors.ts; keys: the public development mnemonic "${mnemonic}", m/44'/60'/0'/0/i`
export const chainId = 31337
/** The block in which the vectors settle, unix seconds. */
export const at = 1_800_000_000n

const accounts = Array.from({ length: 9 }, (_, addressIndex) => mnemonicToAccount(mnemonic, { addressIndex }))
function accountOf(index: number) {
  const account = accounts[index]
  if (account === undefined) throw new RangeError(`account ${index} of ${accounts.length}`)
  return account
}
export const addressOf = (account: number) => accountOf(account).address
export function keyOf(account: number): Hex {
  const { privateKey } = accountOf(account).getHdKey()
  if (privateKey === null) throw new Error(`account ${account} has no private key`)
  return bytesToHex(privateKey)
}

/** The contracts that account 0 deploys: three, three transactions to set them up, then two more. */
const deployed = (nonce: bigint) => getContractAddress({ from: addressOf(0), nonce })
export const [token, vault, wideToken] = [deployed(0n), deployed(1n), deployed(2n)] as const
export const [pullSettler, authorizingToken] = [deployed(6n), deployed(7n)] as const
export const [alice, bob, carol, authority, shortLived, shop, cafe] = [2, 3, 4, 5, 6, 7, 8] as const
export const domain = domainOf({ chainId, vault })

export async function signatureOf(
  account: number,
  digest: Hex,
): Promise<{ readonly compact: Hex; readonly full: Hex }> {
  const parsed = parseSignature(await sign({ privateKey: keyOf(account), hash: digest, to: 'hex' }))
  if (parsed.outcome !== 'ok') throw new Error(parsed.reason)
  return { compact: parsed.compact, full: parsed.full }
}

/** Bit i is byte i / 8, value 1 << (i % 8). */
export function bitmapOf(bits: readonly boolean[]): Hex {
  const results = new Uint8Array(Math.ceil(bits.length / 8))
  bits.forEach((bit, i) => {
    if (bit) results[i >> 3] = (results[i >> 3] ?? 0) | (1 << (i & 7))
  })
  return bytesToHex(results)
}
