import { CID } from 'multiformats/cid'
import { type ArchiveStore, StoreUnavailableError } from '../../core/ports/archive-store.ts'
import { cidOf, upTo } from './unixfs.ts'

type Options = { readonly timeout: number; readonly signal: AbortSignal }

/** The part of the Kubo RPC client that we use: `kubo-rpc-client` and `ipfs-http-client` both have it. */
export type KuboClient = {
  readonly add: (
    bytes: Uint8Array,
    options: Options & {
      readonly cidVersion: 1
      readonly rawLeaves: true
      readonly chunker: string
      readonly hashAlg: 'sha2-256'
      readonly pin: true
    },
  ) => Promise<{ readonly cid: { toString(): string } }>
  readonly cat: (path: string, options: Options) => AsyncIterable<Uint8Array>
  readonly pin: {
    readonly ls: (options: Options & { readonly paths: string; readonly type: 'recursive' }) => AsyncIterable<{
      readonly cid: { toString(): string }
    }>
  }
}

const lookEveryMillis = 5_000

/**
 * An IPFS node with the Kubo RPC. Pinned there, recursively. Its answers are compared with a CID that is computed here:
 * a node that chunks otherwise, or lies, is refused. @param timeoutMillisMax of one request
 */
export function createKuboStore({
  client,
  timeoutMillisMax,
}: {
  readonly client: KuboClient
  readonly timeoutMillisMax: number
}): ArchiveStore {
  const options = (): Options => ({ timeout: timeoutMillisMax, signal: AbortSignal.timeout(timeoutMillisMax) })

  async function ask<Answer>(question: string, answer: () => Promise<Answer>): Promise<Answer> {
    try {
      return await answer()
    } catch (cause) {
      throw new StoreUnavailableError('ipfs', question, { cause })
    }
  }

  return {
    name: 'ipfs',
    lookEveryMillis,
    seal: async (bytes) => ({ id: `${await cidOf(bytes)}`, envelope: '' }),
    put: (bytes, { id }) =>
      ask(`add ${id}`, async () => {
        const settings = {
          cidVersion: 1,
          rawLeaves: true,
          chunker: 'size-262144',
          hashAlg: 'sha2-256',
          pin: true,
        } as const
        const { cid } = await client.add(bytes, { ...options(), ...settings })
        const theirs = `${cid}`
        if (theirs === id) return { outcome: 'taken' }
        return { outcome: 'refused', reason: `the node calls it ${theirs}, these bytes are ${id}` }
      }),
    keeping: (id) =>
      ask(`pin ls ${id}`, async () => {
        try {
          for await (const { cid } of client.pin.ls({ ...options(), paths: id, type: 'recursive' })) {
            if (`${cid}` === id) return { outcome: 'kept' }
          }
          return { outcome: 'absent' }
        } catch (error) {
          if (error instanceof Error && /not pinned/i.test(error.message)) return { outcome: 'absent' }
          throw error
        }
      }),
    // A node looks for what it lacks in the whole network, so absence shows as a time-out: nobody could be asked.
    read: (id, sizeMax) =>
      ask(`cat ${id}`, async () => ({
        outcome: 'found',
        value: await upTo(sizeMax, client.cat(`${CID.parse(id)}`, options())),
      })),
  }
}
