import { parentPort, workerData } from 'node:worker_threads'
import type { Module, PrivateKey, Session, Slot } from 'graphene-pk11'
import type { Hex } from 'viem'
import { SignerRefusedError } from '../../core/ports/signer.ts'
import { readSecretFile } from './secret-file.ts'

/** Which key, and which file holds the PIN of its token. `who` names it in sentences. */
export type KeyPlace = {
  readonly who: string
  readonly pinPath: string
  readonly token: string
  readonly serial: string | undefined
  readonly object: string | undefined
  readonly id: Hex | undefined
}
/** With a digest: r ‖ s over it. Without: the public point, 04 ‖ x ‖ y. After `untilMillis` nobody listens any more. */
export type Question = {
  readonly id: number
  readonly key: KeyPlace
  readonly digest: Hex | undefined
  readonly untilMillis: number
}
export type Answer =
  | { readonly outcome: 'ok'; readonly value: Hex }
  | { readonly outcome: 'unavailable' | 'refused'; readonly reason: string }

type Opened = { readonly session: Session; readonly key: PrivateKey; readonly point: Hex }

/** CKA_EC_PARAMS of secp256k1: its object identifier 1.3.132.0.10. */
const curveParameters = '06052b8104000a'
const pointBytes = 65
/** What a device says of a PIN that it will not take. Never tried twice: a device locks its token after a few. */
const pinRefusal = /^CKR_(PIN_|USER_PIN_)/

/** A thread that owns one PKCS#11 module and answers one question after the other. @see adapters/signer/pkcs11.ts */
const { modulePath } = workerData as { readonly modulePath: string }
const graphene = await import('graphene-pk11').catch(() => undefined)
const opened = new Map<string, Opened>()
const refusedPins = new Map<string, string>()
let module: Module | undefined

parentPort?.on('message', (question: Question) => {
  turn = turn.then(async () => {
    if (Date.now() > question.untilMillis) return
    parentPort?.postMessage({ id: question.id, answer: await answerTo(question) })
  })
})
let turn = Promise.resolve()

async function answerTo({ key, digest }: Question): Promise<Answer> {
  const place = JSON.stringify(key)
  try {
    return { outcome: 'ok', value: use(opened.get(place) ?? (await open(key)), digest) }
  } catch (error) {
    // Whatever was lost, a session, the login or the whole module: one fresh session decides.
    if (!opened.has(place)) return failureOf(error)
    forget(place)
  }
  try {
    return { outcome: 'ok', value: use(await open(key), digest) }
  } catch (error) {
    return failureOf(error)
  }
}

function use({ session, key, point }: Opened, digest: Hex | undefined): Hex {
  if (digest === undefined) return point
  return hexOf(session.createSign('ECDSA', key).once(Buffer.from(digest.slice(2), 'hex')))
}

async function open(place: KeyPlace): Promise<Opened> {
  const slot = slotOf(place)
  const session = slot.open()
  try {
    await login(session, place)
    const found = { ...keyOf(session, place), session }
    opened.set(JSON.stringify(place), found)
    return found
  } catch (error) {
    closeQuietly(session)
    throw error
  }
}

function slotOf({ token, serial }: KeyPlace): Slot {
  if (graphene === undefined) {
    throw new Refused('the optional package graphene-pk11 is not installed: npm install it where a C++ compiler is')
  }
  if (module === undefined) {
    const loaded = graphene.Module.load(modulePath)
    loaded.initialize()
    module = loaded
  }
  const slots = module.getSlots(true)
  for (let index = 0; index < slots.length; index++) {
    const slot = slots.items(index)
    const { label, serialNumber } = slot.getToken()
    if (label === token && (serial === undefined || serialNumber === serial)) return slot
  }
  // Some modules see a token that comes later only after they are initialised again.
  finalize(module)
  throw new Error('no such token is present')
}

async function login(session: Session, { token, serial, pinPath, who }: KeyPlace): Promise<void> {
  const name = `${token}/${serial}`
  const refusal = refusedPins.get(name)
  if (refusal !== undefined) throw new Refused(refusal)
  const pin = await readSecretFile(pinPath, who)
  try {
    session.login(pin)
  } catch (error) {
    const reason = reasonOf(error)
    // The login belongs to the process, not to the session.
    if (reason === 'CKR_USER_ALREADY_LOGGED_IN') return
    if (!pinRefusal.test(reason)) throw error
    const sentence = `its device refuses the PIN (${reason}); it is not tried again by this process`
    refusedPins.set(name, sentence)
    throw new Refused(sentence)
  }
}

function keyOf(session: Session, { object, id }: KeyPlace): Omit<Opened, 'session'> {
  const name = {
    ...(object === undefined ? {} : { label: object }),
    ...(id === undefined ? {} : { id: Buffer.from(id.slice(2), 'hex') }),
  }
  const { ObjectClass, KeyType } = graphene ?? never()
  const keys = session.find({ class: ObjectClass.PRIVATE_KEY, keyType: KeyType.EC, ...name })
  if (keys.length !== 1) throw new Refused(`the token has ${keys.length} such private EC keys, not one`)
  const key = keys.items(0).toType<PrivateKey>()
  const facts = key.getAttribute({ paramsECDSA: null, extractable: null, sensitive: null, id: null })
  if (facts.paramsECDSA?.toString('hex') !== curveParameters) throw new Refused('it is not on the curve secp256k1')
  if (facts.extractable !== false || facts.sensitive !== true) {
    throw new Refused('it can be extracted: make one that is sensitive and not extractable')
  }
  const halves = session.find({ class: ObjectClass.PUBLIC_KEY, keyType: KeyType.EC, ...name, id: facts.id ?? null })
  if (halves.length !== 1) throw new Refused(`the token has ${halves.length} public keys beside it, not one`)
  // The point stands in a DER octet string; some devices leave that out, and it is the last bytes either way.
  const { pointEC } = halves.items(0).getAttribute({ pointEC: null })
  const point = pointEC?.subarray(-pointBytes)
  if (point?.length !== pointBytes || point[0] !== 4) throw new Refused('its public key is no uncompressed point')
  return { key, point: hexOf(point) }
}

function forget(place: string): void {
  const lost = opened.get(place)
  opened.delete(place)
  if (lost !== undefined) closeQuietly(lost.session)
  // The module itself may have been finalised: initialising it again does nothing if it was not.
  module = undefined
}

function closeQuietly(session: Session): void {
  try {
    session.close()
  } catch {
    // A session that was lost cannot be closed, and need not be.
  }
}

function finalize(loaded: Module): void {
  module = undefined
  opened.clear()
  try {
    loaded.finalize()
  } catch {
    // Not initialised any more: that is what was wanted.
  }
}

/** A person must change something; a retry would not help. */
class Refused extends Error {}

function failureOf(error: unknown): Answer {
  if (error instanceof Refused) return { outcome: 'refused', reason: error.message }
  if (error instanceof SignerRefusedError) return { outcome: 'refused', reason: error.reason }
  return { outcome: 'unavailable', reason: reasonOf(error) }
}

/** The device's own code and nothing beside it, or the sentence of whatever else failed. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return /CKR_\w+/.exec(text)?.[0] ?? text
}

function never(): never {
  throw new Error('a slot was found without graphene-pk11')
}

function hexOf(bytes: Uint8Array): Hex {
  return `0x${Buffer.from(bytes).toString('hex')}`
}
