import { CID } from 'multiformats/cid'
import { type ArchiveStore, StoreUnavailableError } from '../../core/ports/archive-store.ts'
import type { Found } from '../../core/ports/chain.ts'
import { BlockMissingError, openBlocks } from './blocks.ts'
import { cidOf, putFile, readFile } from './unixfs.ts'

const lookEveryMillis = 1_000

/**
 * IPFS without a node: blocks in a folder of this machine. Any IPFS node can take them over, and whoever has the folder
 * can serve them. @throws Error of the file system if the folder cannot be made.
 */
export async function openBlockStore(directory: string): Promise<ArchiveStore> {
  const blocks = await openBlocks(directory)

  async function ask<Answer>(question: string, answer: () => Promise<Answer>): Promise<Found<Answer>> {
    try {
      return { outcome: 'found', value: await answer() }
    } catch (cause) {
      if (isMissing(cause)) return { outcome: 'absent' }
      throw new StoreUnavailableError('ipfs', question, { cause })
    }
  }

  return {
    name: 'ipfs',
    lookEveryMillis,
    seal: async (bytes) => ({ id: `${await cidOf(bytes)}`, envelope: '' }),
    async put(bytes, { id }) {
      await ask(`put ${id}`, () => putFile(blocks, bytes))
      return { outcome: 'taken' }
    },
    async keeping(id) {
      const { outcome } = await ask(`look for ${id}`, () => readFile(blocks, CID.parse(id), 0))
      return { outcome: outcome === 'found' ? 'kept' : 'absent' }
    },
    read: (id, sizeMax) => ask(`read ${id}`, () => readFile(blocks, CID.parse(id), sizeMax)),
  }
}

/** The exporter wraps what the blocks throw. */
function isMissing(error: unknown): boolean {
  let cause = error
  while (cause instanceof Error && !(cause instanceof BlockMissingError)) cause = cause.cause
  return cause instanceof BlockMissingError
}
