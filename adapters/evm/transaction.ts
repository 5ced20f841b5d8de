import {
  type Address,
  type Hex,
  keccak256,
  parseSignature,
  serializeTransaction,
  type TransactionSerializableEIP1559,
} from 'viem'
import type { Fees } from '../../core/lane.ts'
import type { Signer } from '../../core/ports/signer.ts'

/**
 * An EIP-1559 tx to a contract, without value, as raw bytes with its hash: both are known before anything is sent. The
 * signer sees a digest only, so a KMS or HSM signs as well as a local key. `gas` in gas units, `nonce` is the signer's
 * account nonce. Throws what the signer throws; nothing is consumed then.
 */
export async function signTransaction({
  signer,
  chainId,
  nonce,
  to,
  data,
  gas,
  fees,
}: {
  readonly signer: Signer
  readonly chainId: number
  readonly nonce: number
  readonly to: Address
  readonly data: Hex
  readonly gas: bigint
  readonly fees: Fees
}): Promise<{ readonly raw: Hex; readonly hash: Hex }> {
  const unsigned: TransactionSerializableEIP1559 = {
    type: 'eip1559',
    chainId,
    nonce,
    to,
    data,
    gas,
    maxFeePerGas: fees.maxFeePerGasWei,
    maxPriorityFeePerGas: fees.maxPriorityFeePerGasWei,
  }
  const signature = await signer.signDigest(keccak256(serializeTransaction(unsigned)))
  const raw = serializeTransaction(unsigned, parseSignature(signature))
  return { raw, hash: keccak256(raw) }
}
