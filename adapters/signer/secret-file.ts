import { readFile } from 'node:fs/promises'
import { SignerRefusedError } from '../../core/ports/signer.ts'

const charactersMax = 1_024

/**
 * A password or PIN from a file; one newline at its end is not part of it.
 * @param who needs it, for the sentence of an error, which names the file and never its content
 * @throws SignerRefusedError
 */
export async function readSecretFile(path: string, who: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new SignerRefusedError(who, `the file ${path} cannot be read (${error.code})`)
  })
  const secret = text.replace(/\r?\n$/, '')
  if (secret === '' || secret.length > charactersMax) {
    throw new SignerRefusedError(who, `the file ${path} holds ${secret.length} characters, not 1 to ${charactersMax}`)
  }
  return secret
}
