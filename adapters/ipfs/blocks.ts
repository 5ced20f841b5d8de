import { randomUUID } from 'node:crypto'
import { access, mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { CID } from 'multiformats/cid'

/** IPFS blocks as files of a folder, each named by its CID. Several processes may share the folder. */
export type Blocks = {
  /**
   * Written and synced under a draft name first: a crash leaves no half block under its own. When this returns, its name
   * is on the disk, too.
   */
  readonly put: (cid: CID, bytes: Bytes) => Promise<CID>
  /** @throws BlockMissingError if there is none, and whatever the file system throws if it cannot be asked. */
  readonly get: (cid: CID) => AsyncGenerator<Uint8Array, void, undefined>
}
type Bytes = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>

export class BlockMissingError extends Error {
  override readonly name = 'BlockMissingError'
}

/** @throws Error of the file system unless `directory` is a folder. */
export async function openBlocks(directory: string): Promise<Blocks> {
  await mkdir(directory, { recursive: true })
  // Few files per folder, spread by the end of the CID: its beginning is the same for all.
  const pathOf = (cid: CID): string => join(directory, `${cid}`.slice(-3, -1), `${cid}`)

  return {
    async put(cid, bytes) {
      const path = pathOf(cid)
      const parts: Uint8Array[] = []
      if (bytes instanceof Uint8Array) parts.push(bytes)
      else for await (const part of bytes) parts.push(part)
      await mkdir(dirname(path), { recursive: true })
      const draft = `${path}.${randomUUID()}`
      const file = await open(draft, 'wx')
      try {
        await file.writeFile(Buffer.concat(parts))
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(draft, path)
      for (const folder of [dirname(path), directory]) await syncDirectory(folder)
      return cid
    },
    async *get(cid) {
      try {
        yield await readFile(pathOf(cid))
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
        // Only a folder that is there can say that a block is not.
        await access(directory)
        throw new BlockMissingError(`block ${cid}`, { cause })
      }
    },
  }
}

/** A name is kept by its folder: until that is synced, a power cut may take the file away. @see fsync(2) */
async function syncDirectory(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
