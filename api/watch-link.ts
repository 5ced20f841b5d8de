import { timingSafeEqual } from 'node:crypto'
import type { Context } from 'hono'
import { originOf } from './middleware/problem.ts'
import type { ApiPorts } from './ports.ts'

/** Links with which anybody may watch one payment: the page of a payer has no credentials to show. */
export type WatchLinks = {
  readonly urlOf: (intentId: string, c: Context) => string
  /** In constant time; for any of the deployment's keys. */
  readonly isGood: (intentId: string, capability: string) => boolean
}

export function createWatchLinks(ports: Pick<ApiPorts, 'secrets' | 'publicUrl'>): WatchLinks {
  return {
    urlOf: (intentId, c) => {
      const [newest] = ports.secrets.derive('watch-link', intentId)
      const capability = Buffer.from(newest).toString('base64url')
      return `${ports.publicUrl ?? originOf(c)}/v1/intents/${intentId}/stream?capability=${capability}`
    },
    isGood: (intentId, capability) => {
      const given = Buffer.from(capability, 'base64url')
      const known = ports.secrets.derive('watch-link', intentId)
      return known.map((each) => given.length === each.length && timingSafeEqual(given, each)).includes(true)
    },
  }
}
