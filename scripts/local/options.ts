import { parseArgs } from 'node:util'
import { StartError } from '../embedded/start-error.ts'

/** How `npm start` is asked to run. */
export type Options = {
  readonly mode: 'story' | 'serve'
  /** The story ends by itself instead of serving on. */
  readonly isOnce: boolean
  /** One line of JSON instead of text for people. */
  readonly isJson: boolean
  readonly chain: 'hardhat' | 'anvil'
  readonly port: number
  readonly rpcPort: number | undefined
  /** Where everything is kept; a folder that is thrown away at the end if undefined. */
  readonly data: string | undefined
}

export const usage = `Usage: npm start -- [options]

  --once          play the life of a payment and exit: 0 only if every payment and balance is right
  --serve         start the same system without the story
  --json          with --serve: print one line of JSON when ready
  --chain NAME    hardhat (default) or anvil
  --port N        port of the API (default 4020)
  --rpc-port N    port of the chain's RPC (default: any free one)
  --data DIR      keep the database, the chain and the keys in DIR; they survive a restart
  --help          this text`

/** @throws StartError with one sentence if an option is unknown or its value makes no sense. */
export function parseOptions(args: readonly string[]): Options | 'help' {
  const values = read(args)
  if (values.help === true) return 'help'
  const chain = values.chain ?? 'hardhat'
  if (chain !== 'hardhat' && chain !== 'anvil') throw new StartError(`--chain is hardhat or anvil, not ${chain}.`)
  if (values.serve === true && values.once === true)
    throw new StartError('--serve keeps running and --once does not: choose one.')
  if (values.json === true && values.serve !== true) throw new StartError('--json goes with --serve.')
  return {
    mode: values.serve === true ? 'serve' : 'story',
    isOnce: values.once === true,
    isJson: values.json === true,
    chain,
    port: values.port === undefined ? 4020 : portOf('--port', values.port),
    rpcPort: values['rpc-port'] === undefined ? undefined : portOf('--rpc-port', values['rpc-port']),
    data: values.data,
  }
}

function read(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        once: { type: 'boolean' },
        serve: { type: 'boolean' },
        json: { type: 'boolean' },
        chain: { type: 'string' },
        port: { type: 'string' },
        'rpc-port': { type: 'string' },
        data: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (error) {
    throw new StartError(`${error instanceof Error ? error.message : error}\n\n${usage}`)
  }
}

function portOf(option: string, text: string): number {
  const port = Number(text)
  if (!/^[0-9]{1,5}$/.test(text) || port < 1 || port > 65_535)
    throw new StartError(`${option} is a number from 1 to 65535, not ${text}.`)
  return port
}
