import { nowSeconds } from '../core/ports/clock.ts'
import type { ApiPorts, Readiness } from './ports.ts'

/** Asking the database takes longer than this only when something is wrong. */
const answerMillisMax = 2_000
/** A head that old means that the relayer or its node has stopped. Promises become optimistic earlier than that. */
const headAgeSecondsMax = 300

/** Whether this process can take payments: the database answers, and the relayer follows every chain. */
export function checkReadiness({
  config,
  accounts,
  clock,
}: Pick<ApiPorts, 'config' | 'accounts' | 'clock'>): () => Promise<Readiness> {
  return async () => {
    const notReady: Record<string, string> = {}
    await Promise.all(
      // By the vaults: what a pull settler lags behind makes no promise firmer or weaker.
      config.chains.map(async ({ chainId, vault }) => {
        const name = `chain ${chainId}`
        try {
          const view = await inTime(accounts.view(chainId, vault))
          if (view === undefined) notReady[name] = 'the relayer has not seen its first block yet'
          else {
            const age = nowSeconds(clock) - Math.floor(view.observedAtMillis / 1000)
            if (age > headAgeSecondsMax) notReady[name] = `the relayer last looked at it ${age} seconds ago`
          }
        } catch {
          notReady.database = 'it does not answer'
        }
      }),
    )
    return { notReady }
  }
}

async function inTime<Value>(asked: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), answerMillisMax)
  })
  try {
    return await Promise.race([asked, late])
  } finally {
    clearTimeout(timer)
  }
}
