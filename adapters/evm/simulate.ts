import { type Abi, type Address, decodeErrorResult, decodeFunctionResult, type Hex, hexToString } from 'viem'
import { ChainUnavailableError, type Simulation } from '../../core/ports/chain.ts'
import { pullSettlerAbi } from '../../core/protocol/pull-settler-abi.ts'
import { modeOfPayload, settleCalldata, settleFunction } from '../../core/protocol/settle-calldata.ts'
import { vaultAbi } from '../../core/protocol/vault-abi.ts'
import { hexSchema, NodeRefusal, quantitySchema, type Rpc } from './rpc.ts'

/** What one tx may use at most. @see EIP-7825 */
const txGasMax = '0x1000000'
/** What geth, Hardhat, anvil and others say when a call does not fit. */
const saysTooBig =
  /out of gas|gas required exceeds|exceeds.*gas (cap|limit|allowance)|intrinsic gas too (high|low)|oversized data/i

/**
 * Runs the payload's settling function from the lane's address on the state of one block. `gasUsed` is what the node's binary search
 * says the tx needs, so it is a limit to add a margin to, not the gas a receipt will show.
 */
export async function simulate(
  rpc: Rpc,
  {
    contract,
    from,
    payload,
    atBlock,
  }: { readonly contract: Address; readonly from: Address; readonly payload: Hex; readonly atBlock: Hex },
): Promise<Simulation> {
  const { abi, functionName } = settleFunction(modeOfPayload(payload))
  const request = { from, to: contract, data: settleCalldata(payload), gas: txGasMax }
  const at = { blockHash: atBlock }
  const [answer, gas] = await Promise.all([
    rpc.attempt('eth_call', [request, at], hexSchema),
    rpc.attempt('eth_estimateGas', [request, at], quantitySchema),
  ])
  if (answer instanceof NodeRefusal) return readRevert(answer)
  if (gas instanceof NodeRefusal) return readRevert(gas)
  try {
    return { outcome: 'ran', results: resultsOf({ abi, functionName, data: answer }), gasUsed: gas }
  } catch (cause) {
    throw new ChainUnavailableError(`malformed answer of ${functionName}`, { cause })
  }
}

function resultsOf(call: { abi: Abi; functionName: string; data: Hex }): Hex {
  return decodeFunctionResult(call) as Hex
}

/** Only a revert is the contract's word. Anything else the node says against a call is about the node. */
function readRevert(refusal: NodeRefusal): Simulation {
  if (refusal.revertData !== undefined && refusal.revertData !== '0x') {
    const reason = nameRevert(refusal.revertData)
    return { outcome: reason.startsWith('GasShort') ? 'too_big' : 'reverted', reason }
  }
  if (saysTooBig.test(refusal.message)) return { outcome: 'too_big', reason: refusal.message }
  if (/revert|invalid opcode/i.test(refusal.message)) {
    return { outcome: 'reverted', reason: refusal.message }
  }
  throw new ChainUnavailableError('a simulation of settle', { cause: refusal })
}

const errorsAbi = [...vaultAbi, ...pullSettlerAbi].filter((item) => item.type === 'error')

/** `Name(argument, argument)` for the contracts' own errors, the raw bytes for those of others. */
function nameRevert(data: Hex): string {
  try {
    const { errorName, args } = decodeErrorResult({ abi: errorsAbi, data })
    return `${errorName}(${(args ?? []).map(legible).join(', ')})`
  } catch {
    return data
  }
}

/** The vault names what is wrong in a bytes32 of plain text. */
function legible(value: unknown): string {
  const text = typeof value === 'string' && /^0x([2-7][0-9a-f])+(00)+$/.test(value) && value.length === 66
  return text ? hexToString(value as Hex, { size: 32 }) : String(value)
}
