import type { Signer } from '../../core/ports/signer.ts'
import type { SignerUri } from '../../core/signer-uri.ts'
import { localSigner } from './local.ts'

/**
 * The signer that a URI names, asked once for its address. Each custody's library is loaded only where it is used.
 * @throws SignerUnavailableError, SignerRefusedError: at a start both end the process with their sentence
 */
export async function openSigner(uri: SignerUri): Promise<Signer> {
  switch (uri.custody) {
    case 'local':
      return localSigner(uri.privateKey)
    case 'keystore':
      return (await import('./keystore.ts')).keystoreSigner(uri)
    case 'aws-kms':
      return (await import('./aws-kms.ts')).awsKmsSigner(uri)
    case 'pkcs11':
      return (await import('./pkcs11.ts')).pkcs11Signer(uri)
  }
}
