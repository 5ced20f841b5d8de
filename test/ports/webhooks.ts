import { sql } from 'kysely'
import { bytes, uuidOfOwn } from '../../adapters/postgres/codec.ts'
import type { Database } from '../../adapters/postgres/database.ts'
import { createNotification } from '../../adapters/postgres/notification.ts'
import { createWebhookDeliveries } from '../../adapters/postgres/webhook-deliveries.ts'
import { createWebhookEndpoints } from '../../adapters/postgres/webhook-endpoints.ts'
import type { Candidate } from '../../core/admit.ts'
import type { ClaimedDelivery, Notification, TriedDelivery } from '../../core/ports/notification.ts'
import type { EndpointTerms, WebhookEndpoint } from '../../core/ports/webhook-endpoints.ts'
import type { Verdict } from '../../core/webhook.ts'
import { candidate, chain } from './payments.ts'

let endpointCount = 0
/** A fresh app with an endpoint, on one set of books. */
export async function endpointOf(
  database: Database,
  { appId, ...terms }: { appId: string } & Partial<EndpointTerms>,
): Promise<WebhookEndpoint> {
  endpointCount++
  const created = await createWebhookEndpoints(database).create({
    ...{ appId, countMax: 10, states: undefined, hasHmac: false },
    url: `https://shop.example/${endpointCount}`,
    ...terms,
  })
  if (created.outcome === 'full') throw new Error('full')
  return created.endpoint
}

/** Writes a payment and its events straight into their tables, as the triggers of payments would. */
export async function eventsOf(
  database: Database,
  { appId, states }: { appId: string; states: readonly string[] },
): Promise<Candidate> {
  const payment = candidate({ appId })
  const { payer, payee, token, amount, nonce, deadline, orderRef } = payment.payment
  await sql`
    insert into intent (id, app_id, chain_id, vault, token, payer, payee, amount, nonce, mode, deadline, order_ref, digest, signature, state)
    values (${uuidOfOwn('pi', payment.id)}, ${appId}, ${chain.chainId}, ${bytes(chain.vault)}, ${bytes(token)}, ${bytes(payer)},
      ${bytes(payee)}, ${amount}, ${nonce}, 'independent', ${deadline}, ${bytes(orderRef)}, ${bytes(payment.digest)},
      ${bytes(payment.signature)}, ${states[0] ?? 'accepted'})`.execute(database)
  for (const [index, state] of states.slice(1).entries()) await addEvent(database, payment, index + 2, state)
  return payment
}

export async function addEvent(
  database: Database,
  { id, appId }: Pick<Candidate, 'id' | 'appId'>,
  sequence: number,
  state: string,
): Promise<void> {
  await sql`
    insert into intent_event (intent_id, sequence, app_id, chain_id, state)
    values (${uuidOfOwn('pi', id)}, ${sequence}, ${appId}, ${chain.chainId}, ${state})`.execute(database)
}

export const roomy: Parameters<Notification['claim']>[0] = {
  countMax: 100,
  failingCountMax: 100,
  perAppMax: 100,
  perEndpointMax: 100,
  perFailingEndpointMax: 100,
  underWay: new Map(),
  leaseMillis: 60_000,
}

export const webhooksOn = (database: Database) => ({
  endpoints: createWebhookEndpoints(database),
  deliveries: createWebhookDeliveries(database),
  notification: createNotification(database),
})

export const tried = (
  { id, endpointId, url, attempt }: ClaimedDelivery,
  verdict: Verdict = { outcome: 'delivered', status: 204 },
): TriedDelivery => ({ id, endpointId, url, attempt, verdict })
export const refused: Verdict = {
  ...{ outcome: 'retry', afterMillis: 3_600_000, status: 500, error: 'http_500', isGone: false },
}
export const given: Verdict = { outcome: 'dead', status: undefined, error: 'answer_timeout', isGone: false }

/** `sequence` of each, in the order claimed. */
export const sequences = (deliveries: readonly ClaimedDelivery[]) =>
  deliveries.map(({ event }) => (event.kind === 'payment' ? event.facts.sequence : 0))

/** Makes what waits due now, as time would. */
export async function hurry(database: Database): Promise<void> {
  // In one order and past what a courier holds: two updates of many rows would wait for each other.
  await sql`
    update webhook_delivery set due_at = now() - interval '1 second'
    where id in (
      select id from webhook_delivery where state = 'open' and claimed_at is null order by id for update skip locked)`.execute(
    database,
  )
}

/** Takes one event away as operators drop the day it lies in: rows alone cannot be deleted. */
export async function dropEvent(database: Database, { id }: Pick<Candidate, 'id'>, sequence: number): Promise<void> {
  await database.transaction().execute(async (tx) => {
    await sql`set local session_replication_role = replica`.execute(tx)
    await sql`delete from intent_event where intent_id = ${uuidOfOwn('pi', id)} and sequence = ${sequence}`.execute(tx)
  })
}
