import { readFile } from 'node:fs/promises'
import { decryptKeystoreJson, isKeystoreJson } from 'ethers'
import type { Hex } from 'viem'
import { type Signer, SignerRefusedError } from '../../core/ports/signer.ts'
import type { SignerUri } from '../../core/signer-uri.ts'
import { localSigner } from './local.ts'
import { readSecretFile } from './secret-file.ts'

/**
 * An encrypted keystore file of version 3 (Web3 Secret Storage), as ethers, geth and most wallets write it. Encrypted at
 * rest only: once opened the key is in this process's memory, as a local one is.
 * @throws SignerRefusedError if file and password do not open a key
 */
export async function keystoreSigner({
  path,
  passwordPath,
}: Extract<SignerUri, { custody: 'keystore' }>): Promise<Signer> {
  const who = `The keystore ${path}`
  const json = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new SignerRefusedError(who, `it cannot be read (${error.code})`)
  })
  if (!isKeystoreJson(json)) throw new SignerRefusedError(who, 'it is no JSON keystore of version 3')
  const password = await readSecretFile(passwordPath, who)
  return localSigner(await decrypt(json, password, who))
}

/** What ethers throws is not passed on: it may speak of what it was given. */
async function decrypt(json: string, password: string, who: string): Promise<Hex> {
  try {
    const { privateKey } = await decryptKeystoreJson(json, password)
    return privateKey as Hex
  } catch {
    throw new SignerRefusedError(who, 'its password is another, or the file is damaged')
  }
}
