import { type Hex, keccak256 } from 'viem'
import { ChainUnavailableError, type SendOutcome } from '../../core/ports/chain.ts'
import { NodeRefusal, type Rpc, wordSchema } from './rpc.ts'

/**
 * Hands a signed tx to the node, once. An answer that got lost throws ChainUnavailableError: whether the tx is out is
 * then a question to the chain, and sending the same bytes again is harmless.
 */
export async function send(rpc: Rpc, rawTx: Hex): Promise<SendOutcome> {
  const answer = await rpc.attempt('eth_sendRawTransaction', [rawTx], wordSchema)
  if (answer instanceof NodeRefusal) return readRefusal(answer.message)
  if (answer === keccak256(rawTx)) return { outcome: 'sent' }
  throw new ChainUnavailableError('eth_sendRawTransaction was answered with the hash of another tx')
}

/**
 * What a node's refusal means. Nodes agree on no code, only roughly on words: each pattern names who says it.
 * Order matters: "replacement transaction underpriced" is about a nonce, too.
 */
export function readRefusal(message: string): SendOutcome {
  for (const [pattern, outcome] of wordings) if (pattern.test(message)) return { outcome }
  return { outcome: 'refused', reason: message }
}

const wordings: readonly (readonly [RegExp, 'known' | 'nonce_too_low' | 'underpriced'])[] = [
  // geth, Erigon, Nethermind ("AlreadyKnown"), anvil ("transaction already imported")
  [/already ?known|already imported|known transaction/i, 'known'],
  // geth, anvil; Besu says "Nonce too low", Nethermind "OldNonce"; Hardhat: "Nonce too low. Expected nonce to be 3 but got 2."
  [/nonce (is )?too low|old ?nonce/i, 'nonce_too_low'],
  // geth, anvil; Nethermind "FeeTooLow", "ReplacementNotAllowed"; Hardhat says what it wants instead
  [
    /underpriced|fee ?too ?low|ReplacementNotAllowed|max fee per gas less than block base fee|maxFeePerGas.*too low|too low.*(next block|base fee)|replacement transaction/i,
    'underpriced',
  ],
]
