import { Worker } from 'node:worker_threads'
import { secp256k1 } from '@noble/curves/secp256k1'
import type { Hex } from 'viem'
import { publicKeyToAddress } from 'viem/accounts'
import { type Signer, SignerRefusedError, SignerUnavailableError } from '../../core/ports/signer.ts'
import type { SignerUri } from '../../core/signer-uri.ts'
import { canonicalSignature } from './canonical.ts'
import type { Answer, KeyPlace, Question } from './pkcs11-device.ts'

/** Of one question, waiting for its turn included: a lane's lease of 10 s must not end meanwhile. */
const limitsDefault = { questionMillisMax: 8_000, waitingMax: 100 }

/**
 * A key in any device with a PKCS#11 module: an HSM, or SoftHSM. It cannot be extracted, or it is refused. All calls of a
 * module run on one thread of their own (pkcs11-device.ts): a device that hangs holds up its own signers and nothing else.
 * Sessions that were lost are opened again.
 * @throws SignerUnavailableError, SignerRefusedError
 */
export async function pkcs11Signer(
  { modulePath, pinPath, token, serial, object, id }: Extract<SignerUri, { custody: 'pkcs11' }>,
  limits: Partial<typeof limitsDefault> = {},
): Promise<Signer> {
  const who = `The key ${object ?? id} of the PKCS#11 token ${token}`
  const key: KeyPlace = { who, pinPath, token, serial, object, id }
  const ask = async (digest: Hex | undefined): Promise<Hex> => {
    const answer = await deviceOf(modulePath).ask({ key, digest }, { ...limitsDefault, ...limits })
    if (answer.outcome === 'ok') return answer.value
    throw answer.outcome === 'refused'
      ? new SignerRefusedError(who, answer.reason)
      : new SignerUnavailableError(who, answer.reason)
  }
  const address = publicKeyToAddress(await ask(undefined))
  return {
    address,
    signDigest: async (digest) => {
      const raw = secp256k1.Signature.fromCompact((await ask(digest)).slice(2))
      const signature = canonicalSignature(raw, digest, address)
      if (signature === undefined) throw new SignerRefusedError(who, `what came back is no signature by ${address}`)
      return signature
    },
  }
}

type Device = {
  readonly ask: (question: Pick<Question, 'key' | 'digest'>, limits: typeof limitsDefault) => Promise<Answer>
}

/** One thread per module and process: a module keeps its sessions and its login for the whole process. */
const devices = new Map<string, Device>()

function deviceOf(modulePath: string): Device {
  const device = devices.get(modulePath) ?? startDevice(modulePath)
  devices.set(modulePath, device)
  return device
}

function startDevice(modulePath: string): Device {
  const worker = new Worker(new URL('./pkcs11-device.ts', import.meta.url), { workerData: { modulePath } })
  // A process that is done must not stay for the sake of its devices.
  worker.unref()
  const waiting = new Map<number, (answer: Answer) => void>()
  let lastId = 0

  worker.on('message', ({ id, answer }: { id: number; answer: Answer }) => waiting.get(id)?.(answer))
  worker.on('error', (error) => end(error.message))
  worker.on('exit', () => end('its thread ended'))
  /** The next question starts another thread. */
  function end(reason: string): void {
    if (devices.get(modulePath) === device) devices.delete(modulePath)
    for (const answer of waiting.values()) answer({ outcome: 'unavailable', reason })
  }

  const device: Device = {
    ask: ({ key, digest }, { questionMillisMax, waitingMax }) => {
      if (waiting.size >= waitingMax) {
        return Promise.resolve({ outcome: 'unavailable', reason: `${waiting.size} questions wait for it already` })
      }
      const id = ++lastId
      return new Promise((resolve) => {
        const settle = (answer: Answer): void => {
          clearTimeout(timer)
          waiting.delete(id)
          resolve(answer)
        }
        const timer = setTimeout(
          () => settle({ outcome: 'unavailable', reason: `no answer within ${questionMillisMax} ms` }),
          questionMillisMax,
        )
        waiting.set(id, settle)
        const question: Question = { id, key, digest, untilMillis: Date.now() + questionMillisMax }
        worker.postMessage(question)
      })
    },
  }
  return device
}
