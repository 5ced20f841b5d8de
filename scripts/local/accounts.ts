import { type HDAccount, mnemonicToAccount } from 'viem/accounts'

/** Hardhat's and anvil's public test mnemonic: everybody knows these keys, so they are worth nothing anywhere else. */
const mnemonic = 'test test test test test test test test test test test junk'

const account = (addressIndex: number): HDAccount => mnemonicToAccount(mnemonic, { addressIndex })
const accounts = (from: number, count: number): readonly HDAccount[] =>
  Array.from({ length: count }, (_, index) => account(from + index))

/** Who is who on a local chain, by index of the mnemonic. */
export const localAccounts = {
  /** Deploys the vault and owns it. */
  owner: account(0),
  /** Signers of the relayer: one lane each. */
  lanes: accounts(1, 2),
  /** Certifies the short-lived acknowledgement keys. */
  acknowledger: account(3),
  /** Three businesses that are paid. */
  merchants: accounts(4, 3),
  /** A payer who has tokens, but nothing in the vault. */
  stranger: account(9),
  /** Wallets with tokens and a vault deposit. */
  payers: accounts(10, 20),
}

export function privateKeyOf(hd: HDAccount): `0x${string}` {
  const key = hd.getHdKey().privateKey
  if (key === null) throw new Error(`no private key for ${hd.address}`)
  return `0x${Buffer.from(key).toString('hex')}`
}
