import { type Genesis, type JournalBlock, readJournal } from './chain-journal.ts'
import { type Rpc, type RpcBlock, toHex } from './hardhat-rpc.ts'
import { StartError } from './start-error.ts'

/** A hash commits to every block below it, so that a run of empty blocks needs to be compared only this often. */
const compareEvery = 1000

/** Mines the journal's blocks again on a fresh chain. Throws at the first one that comes out different. */
export async function replayJournal({
  file,
  genesis,
  rpc,
}: {
  readonly file: string
  /** The fresh chain's own. */
  readonly genesis: Genesis
  readonly rpc: Rpc
}): Promise<void> {
  const differs = (what: string) =>
    new StartError(
      `The chain's journal ${file} cannot be replayed: ${what}. Install the package versions it was written with, or delete it to begin a new chain.`,
    )
  let last: JournalBlock | undefined
  for await (const line of readJournal(file)) {
    if ('version' in line) {
      if (line.hash !== genesis.hash) throw differs('the genesis block comes out different')
      continue
    }
    if (line.number !== (last?.number ?? 0) + 1)
      throw differs(`block ${line.number} does not follow block ${last?.number ?? 0}`)
    try {
      for (const raw of line.transactions) await rpc('eth_sendRawTransaction', [raw])
      await rpc('evm_mine', [toHex(line.timestamp)])
    } catch (error) {
      throw differs(`block ${line.number} is refused (${(error as Error).message})`)
    }
    if (line.transactions.length > 0 || line.number % compareEvery === 0) await compare({ rpc, block: line, differs })
    last = line
  }
  if (last !== undefined) await compare({ rpc, block: last, differs })
}

async function compare({
  rpc,
  block,
  differs,
}: {
  readonly rpc: Rpc
  readonly block: JournalBlock
  readonly differs: (what: string) => StartError
}): Promise<void> {
  const { hash, number } = await rpc<RpcBlock>('eth_getBlockByNumber', ['latest', false])
  if (Number(number) !== block.number || hash !== block.hash)
    throw differs(`block ${block.number} comes out with the hash ${hash} instead of ${block.hash}`)
}
