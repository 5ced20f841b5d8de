import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Child, startNode } from './child.ts'

/** A folder of IPFS blocks and a gateway that reads it; who writes into the folder is the relayer. */
export type LocalIpfs = Pick<Child, 'stop' | 'exited' | 'lastLines'> & {
  /** Of the gateway. */
  readonly url: string
  readonly directory: string
}

export async function startIpfs({ directory }: { readonly directory: string }): Promise<LocalIpfs> {
  await mkdir(directory, { recursive: true })
  const child = await startNode<{ readonly url: string }>({
    entry: fileURLToPath(new URL('ipfs-gateway.ts', import.meta.url)),
    name: 'The local IPFS gateway',
    args: [directory],
  })
  return { url: child.ready.url, directory, stop: child.stop, exited: child.exited, lastLines: child.lastLines }
}
