import { type Hex, HttpRequestError, http, RpcRequestError, TimeoutError } from 'viem'
import { z } from 'zod'
import { ChainUnavailableError } from '../../core/ports/chain.ts'

/** The node answered, and its answer is an error: `code`, `message` and `revertData` are the node's own words. */
export class NodeRefusal extends Error {
  readonly code: number
  readonly revertData: Hex | undefined

  constructor({ code, message, revertData }: { code: number; message: string; revertData: Hex | undefined }) {
    super(message)
    this.name = 'NodeRefusal'
    this.code = code
    this.revertData = revertData
  }
}

/** JSON-RPC. Whatever is not a well-formed answer throws ChainUnavailableError. */
export type Rpc = {
  /** @throws ChainUnavailableError also when the node answers with an error. */
  readonly ask: <T>(method: string, params: readonly unknown[], answer: z.ZodType<T>) => Promise<T>
  /** As `ask`, but the node's error answer is an outcome, and no node is asked twice: for sends and simulations. */
  readonly attempt: <T>(method: string, params: readonly unknown[], answer: z.ZodType<T>) => Promise<T | NodeRefusal>
}

/** One node, asked once. */
export function connectNode({
  rpcUrl,
  timeoutMillisMax,
}: {
  rpcUrl: string
  timeoutMillisMax: number
}): Rpc['attempt'] {
  const { request } = http(rpcUrl, { timeout: timeoutMillisMax, retryCount: 0 })({})
  return async (method, params, answer) => {
    let value: unknown
    try {
      value = await request({ method, params })
    } catch (error) {
      const refusal = findRefusal(error)
      if (refusal !== undefined) return refusal
      throw new ChainUnavailableError(method, { cause: withoutUrl(error) })
    }
    const parsed = answer.safeParse(value)
    if (parsed.success) return parsed.data
    throw new ChainUnavailableError(`malformed answer to ${method}`, { cause: parsed.error })
  }
}

/** The node was not reached, or broke off: another try, or another node, may get an answer. */
export class TransportError extends Error {
  override readonly name = 'TransportError'
}

/** viem's own message quotes the URL, which may hold an access key, and the request; only what went wrong is passed on. */
function withoutUrl(error: unknown): Error {
  if (error instanceof TimeoutError) return new TransportError('no answer in time')
  if (error instanceof HttpRequestError)
    return new TransportError(`HTTP ${error.status ?? 'failed'}: ${reasonOf(error)}`)
  return new Error(error instanceof Error ? error.name : typeof error)
}

function reasonOf(error: Error): string {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && typeof cause.code === 'string') return cause.code
  }
  return error.name
}

/** viem wraps the node's error answer in its own classes; the node's words are in the innermost of them. */
function findRefusal(error: unknown): NodeRefusal | undefined {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof RpcRequestError) {
      return new NodeRefusal({ code: cause.code, message: cause.details, revertData: findRevertData(cause.data) })
    }
  }
  return undefined
}

/** geth and anvil put the revert bytes into `data`, Hardhat into `data.data`. */
function findRevertData(data: unknown): Hex | undefined {
  if (typeof data === 'string' && /^0x([0-9a-f]{2})*$/i.test(data)) return data as Hex
  return typeof data === 'object' && data !== null && 'data' in data ? findRevertData(data.data) : undefined
}

export const hexSchema = z
  .string()
  .regex(/^0x([0-9a-fA-F]{2})*$/)
  .transform((text) => text.toLowerCase() as Hex)
export const wordSchema = z
  .string()
  .regex(/^0x[0-9a-fA-F]{64}$/)
  .transform((text) => text.toLowerCase() as Hex)
export const quantitySchema = z
  .string()
  .regex(/^0x[0-9a-fA-F]{1,64}$/)
  .transform((text) => BigInt(text))
export const countSchema = quantitySchema.refine((value) => value <= BigInt(Number.MAX_SAFE_INTEGER)).transform(Number)
