import { decodeFunctionData, encodeFunctionData, type Hex } from 'viem'
import { vaultAbi } from './vault-abi.ts'

/** Calldata of `settle(bytes)`. */
export function settleCalldata(payload: Hex): Hex {
  return encodeFunctionData({ abi: vaultAbi, functionName: 'settle', args: [payload] })
}

/** The packed batch inside calldata of the vault; undefined if it calls another function. */
export function settlePayloadOf(calldata: Hex): Hex | undefined {
  if (!calldata.startsWith(settleCalldata('0x').slice(0, 10))) return undefined
  const { functionName, args } = decodeFunctionData({ abi: vaultAbi, data: calldata })
  return functionName === 'settle' ? args[0] : undefined
}
