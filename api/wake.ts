import type { ApiPorts } from './ports.ts'

/**
 * Wakes the batch stage of a chain, and nobody waits for it. A queue that is down costs seconds, never a payment: the
 * relayer's sweeper finds what nobody woke it for.
 */
export function batchWaker({ queue, log }: Pick<ApiPorts, 'queue' | 'log'>): (chainId: number) => void {
  return (chainId) => {
    queue.wake({ stage: 'batch', chainId }).catch((error: unknown) => {
      log.warn({ chainId, err: error }, 'The queue could not be woken; the sweeper will find the work.')
    })
  }
}
