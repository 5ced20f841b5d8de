import { exporter } from 'ipfs-unixfs-exporter'
import { importBytes } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { balanced } from 'ipfs-unixfs-importer/layout'
import type { CID } from 'multiformats/cid'

type Writable = Parameters<typeof importBytes>[1]
type Readable = Parameters<typeof exporter>[1]

/** What `ipfs add --cid-version=1 --raw-leaves` does by default; other parameters would give the same bytes another CID. */
const chunkBytes = 262_144
const childrenMax = 174

/** Splits the bytes into blocks, puts them and returns the root's CID. */
export async function putFile(blocks: Writable, bytes: Uint8Array): Promise<CID> {
  const { cid } = await importBytes(bytes, blocks, {
    cidVersion: 1,
    rawLeaves: true,
    reduceSingleLeafToSelf: true,
    chunker: fixedSize({ chunkSize: chunkBytes }),
    layout: balanced({ maxChildrenPerNode: childrenMax }),
  })
  return cid
}

/** The CID that every IPFS node gives these bytes; nothing is kept. */
export async function cidOf(bytes: Uint8Array): Promise<CID> {
  return putFile({ put: async (cid) => cid }, bytes)
}

/** The file under this CID, cut off after `sizeMax` + 1 bytes. @throws what the blocks throw if one is missing. */
export async function readFile(blocks: Readable, cid: CID, sizeMax: number): Promise<Uint8Array> {
  const entry = await exporter(cid, blocks)
  if (entry.type !== 'file' && entry.type !== 'raw') throw new TypeError(`${cid} is a ${entry.type}, not a file`)
  return upTo(sizeMax, entry.content())
}

/** Collects a stream until it is longer than `sizeMax`: then it is not what we look for, however long it is. */
export async function upTo(sizeMax: number, stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of stream) {
    parts.push(part)
    size += part.length
    if (size > sizeMax) break
  }
  return Buffer.concat(parts).subarray(0, sizeMax + 1)
}
