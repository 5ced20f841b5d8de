import {
  type Abi,
  type Address,
  type ContractFunctionArgs,
  type ContractFunctionName,
  type ContractFunctionReturnType,
  decodeFunctionResult,
  encodeFunctionData,
  type Hex,
} from 'viem'
import { ChainUnavailableError } from '../../core/ports/chain.ts'
import { hexSchema, type Rpc } from './rpc.ts'

type Call<Of extends Abi, Name extends ContractFunctionName<Of, 'view' | 'pure'>> = {
  readonly to: Address
  readonly abi: Of
  readonly functionName: Name
  readonly args: ContractFunctionArgs<Of, 'view' | 'pure', Name>
}

/** Calls a view of a contract at one block. @throws ChainUnavailableError if there is no contract or no well-formed answer */
export async function read<const Of extends Abi, Name extends ContractFunctionName<Of, 'view' | 'pure'>>(
  rpc: Rpc,
  { to, abi, functionName, args }: Call<Of, Name>,
  atBlock: Hex,
): Promise<ContractFunctionReturnType<Of, 'view' | 'pure', Name>> {
  const call = { abi: abi as Abi, functionName: functionName as string, args: args as readonly unknown[] }
  const request = { to, data: encodeFunctionData(call) }
  const data = await rpc.ask('eth_call', [request, { blockHash: atBlock }], hexSchema)
  if (data === '0x') throw new ChainUnavailableError(`no contract that answers ${functionName} at ${to} in ${atBlock}`)
  try {
    return decodeFunctionResult({ ...call, data }) as ContractFunctionReturnType<Of, 'view' | 'pure', Name>
  } catch (cause) {
    throw new ChainUnavailableError(`malformed answer of ${functionName}`, { cause })
  }
}

/** Keeps one `eth_call` under the gas that public nodes grant: three cold slots a payer. */
const payersPerCallMax = 500

/** @throws ChainUnavailableError if a part comes back with more or less than it was asked for */
export async function readInParts<Answer>(
  payers: readonly Address[],
  part: (payers: readonly Address[]) => Promise<readonly Answer[]>,
): Promise<readonly Answer[]> {
  const answers: Answer[] = []
  for (let at = 0; at < payers.length; at += payersPerCallMax) {
    const some = payers.slice(at, at + payersPerCallMax)
    const found = await part(some)
    if (found.length !== some.length) {
      throw new ChainUnavailableError(`asked for ${some.length} accounts, got ${found.length}`)
    }
    answers.push(...found)
  }
  return answers
}
