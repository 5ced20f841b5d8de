import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, stat, truncate } from 'node:fs/promises'
import { dirname } from 'node:path'
import { StartError } from './start-error.ts'

/** What a chain must begin with for its blocks to come out identical. The journal's first line. */
export type Genesis = {
  readonly version: 1
  readonly chainId: number
  readonly hardfork: string
  readonly blockGasLimit: number
  readonly accounts: number
  readonly timestamp: number
  readonly hash: string
}

/** One mined block: all that is needed to mine it again, and the hash to compare with. Every further line. */
export type JournalBlock = {
  readonly number: number
  readonly timestamp: number
  readonly hash: string
  readonly baseFee: string
  /** Signed, in the order of the block. */
  readonly transactions: readonly string[]
}

export type JournalLine = Genesis | JournalBlock

/** An append-only file of JSON lines. */
export type ChainJournal = {
  /** Resolves when the lines are on disk. */
  append(lines: readonly JournalLine[]): Promise<void>
  close(): Promise<void>
}

export async function openJournal(file: string): Promise<ChainJournal> {
  await mkdir(dirname(file), { recursive: true })
  const handle: FileHandle = await open(file, 'a', 0o600)
  return {
    async append(lines) {
      await handle.appendFile(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
      await handle.datasync()
    },
    close: () => handle.close(),
  }
}

/** The lines of a journal, first to last; none if there is no file. Cuts off a last line that a kill left half written. */
export async function* readJournal(file: string): AsyncGenerator<JournalLine> {
  if (!(await isFile(file))) return
  let rest = ''
  let readBytes = 0
  for await (const chunk of createReadStream(file, { encoding: 'utf8', highWaterMark: 1 << 20 })) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      yield parse({ file, line })
      readBytes += Buffer.byteLength(line) + 1
    }
  }
  if (rest !== '') await truncate(file, readBytes)
}

function parse({ file, line }: { readonly file: string; readonly line: string }): JournalLine {
  try {
    return JSON.parse(line) as JournalLine
  } catch {
    throw new StartError(
      `The chain's journal ${file} is damaged. Put back a good copy, or delete it to begin a new chain.`,
    )
  }
}

async function isFile(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isFile()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
