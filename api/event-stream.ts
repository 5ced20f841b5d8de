/** Bytes that may wait for a client that reads slowly; then it is cut off, and goes on later from the last id it has. */
const bufferBytesMax = 262_144
/** Shorter than proxies and the API's own server wait in silence. */
const heartbeatMillis = 15_000
/** What a client waits before it connects again, if it obeys. */
const retryMillis = 1_000

/**
 * One answer in server-sent events. It ends by itself when the client goes away, and is cut when the client reads too slowly.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export type EventStream = {
  readonly body: ReadableStream<Uint8Array>
  readonly send: (event: { readonly id: string; readonly event: string; readonly data: object }) => void
  /** Where the client goes on if it is cut off before the first event: an id that comes with none. */
  readonly mark: (id: string) => void
  /** Resolves when the client has taken all that waits, or is gone. */
  readonly taken: () => Promise<void>
  readonly isOpen: () => boolean
  /** Ends it in good order. */
  readonly close: () => void
  /** Ends it at once: the client finds its connection broken and connects again. */
  readonly cut: () => void
}

/** @param onClose is called once, however it ends */
export function createEventStream({ onClose }: { onClose: () => void }): EventStream {
  const encoder = new TextEncoder()
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  let waiting: (() => void)[] = []
  let isOpen = true

  const wake = () => {
    const woken = waiting
    waiting = []
    for (const go of woken) go()
  }
  const end = (how: (controller: ReadableStreamDefaultController<Uint8Array>) => void) => {
    if (!isOpen) return
    isOpen = false
    clearInterval(heart)
    if (controller !== undefined) how(controller)
    wake()
    onClose()
  }
  const cut = () => end((open) => open.error(cutError()))
  const write = (text: string) => {
    if (!isOpen || controller === undefined) return
    controller.enqueue(encoder.encode(text))
    if ((controller.desiredSize ?? 0) < 0) cut()
  }

  const body = new ReadableStream<Uint8Array>(
    {
      start: (started) => {
        controller = started
      },
      pull: wake,
      cancel: () => end(() => undefined),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: bufferBytesMax }),
  )
  const heart = setInterval(() => write(':\n\n'), heartbeatMillis).unref()
  write(`retry: ${retryMillis}\n\n`)

  return {
    body,
    // JSON holds no line break, which would end the field.
    send: ({ id, event, data }) => write(`id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`),
    mark: (id) => write(`id: ${id}\n\n`),
    taken: async () => {
      while (isOpen && (controller?.desiredSize ?? bufferBytesMax) < bufferBytesMax / 2) {
        await new Promise<void>((resolve) => waiting.push(resolve))
      }
    },
    isOpen: () => isOpen,
    close: () => end((open) => open.close()),
    cut,
  }
}

/** The server prints what ends a body early: a sentence is enough. */
function cutError(): Error {
  const error = new Error('a stream was cut; its client goes on from the last event it has')
  error.stack = error.message
  return error
}
