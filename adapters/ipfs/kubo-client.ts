import { create } from 'kubo-rpc-client'
import type { ArchiveStore } from '../../core/ports/archive-store.ts'
import { createKuboStore } from './kubo.ts'

/** The Kubo RPC through the client that is kept up with it: decision 0011. */
export function connectKubo({ url, timeoutMillisMax }: { url: string; timeoutMillisMax: number }): ArchiveStore {
  return createKuboStore({ client: create({ url, timeout: timeoutMillisMax }), timeoutMillisMax })
}
