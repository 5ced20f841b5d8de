import { decodeFunctionData, encodeFunctionData, type Hex } from 'viem'
import { pullSettlerAbi } from './pull-settler-abi.ts'
import type { Mode } from './taking.ts'
import { vaultAbi } from './vault-abi.ts'

/** By the first byte of a packed batch. Version 2 is a `settle` with payments of wallet contracts, which we do not send. */
const versions: Readonly<Record<string, Mode>> = { '01': 'independent', '03': 'chained', '04': 'pull' }

const functions = {
  independent: { abi: vaultAbi, functionName: 'settle' },
  chained: { abi: vaultAbi, functionName: 'settleChained' },
  pull: { abi: pullSettlerAbi, functionName: 'settlePull' },
} as const

/** The mode in which a packed batch settles. @throws RangeError for a version that we do not send */
export function modeOfPayload(payload: Hex): Mode {
  const mode = versions[payload.slice(2, 4)]
  if (mode === undefined) throw new RangeError(`packed version 0x${payload.slice(2, 4)} is none of 01, 03 and 04`)
  return mode
}

/** The function of the settlement contract that takes a batch of this mode. */
export function settleFunction(mode: Mode): (typeof functions)[Mode] {
  return functions[mode]
}

/** Calldata of `settle(bytes)`, `settleChained(bytes)` or `settlePull(bytes)`, as the packed batch's version says. */
export function settleCalldata(payload: Hex): Hex {
  return calldata(modeOfPayload(payload), payload)
}

/** The packed batch inside calldata of a settlement contract; undefined if it calls another function or is none of ours. */
export function settlePayloadOf(input: Hex): Hex | undefined {
  const mode = (Object.keys(functions) as Mode[]).find((each) => input.startsWith(selectors[each]))
  if (mode === undefined) return undefined
  const { args } = decodeFunctionData({ abi: functions[mode].abi, data: input })
  const payload = args?.[0] as Hex | undefined
  return payload !== undefined && versions[payload.slice(2, 4)] === mode ? payload : undefined
}

function calldata(mode: Mode, payload: Hex): Hex {
  const { abi, functionName } = functions[mode]
  return encodeFunctionData({ abi, functionName, args: [payload] } as Parameters<typeof encodeFunctionData>[0])
}

const selectors = {
  independent: calldata('independent', '0x').slice(0, 10),
  chained: calldata('chained', '0x').slice(0, 10),
  pull: calldata('pull', '0x').slice(0, 10),
} as const satisfies Record<Mode, string>
