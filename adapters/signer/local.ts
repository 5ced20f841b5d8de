import type { Hex } from 'viem'
import { privateKeyToAddress, sign } from 'viem/accounts'
import type { Signer } from '../../core/ports/signer.ts'

/**
 * A key in this process's memory. FOR DEVELOPMENT AND TESTS, and for the short-lived acknowledgement keys, whose worth
 * ends within hours; money and long-lived authority belong into a KMS or HSM.
 *
 * The key lives in a closure only, so neither JSON, nor `inspect`, nor an error shows it.
 * @throws RangeError if `privateKey` is not 32 bytes of a valid secp256k1 scalar; the message does not quote it.
 */
export function localSigner(privateKey: Hex): Signer {
  return { address: addressOf(privateKey), signDigest: (digest) => sign({ hash: digest, privateKey, to: 'hex' }) }
}

/** A library's error about a key may quote the key, so it is neither passed on nor kept as a cause. */
function addressOf(privateKey: Hex) {
  try {
    return privateKeyToAddress(privateKey)
  } catch {
    throw new RangeError('a private key is 32 bytes in hex, above zero and below the order of secp256k1')
  }
}
