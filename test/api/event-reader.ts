export type Told = {
  readonly id: string | undefined
  readonly event: string | undefined
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever came
  readonly data: any
}

/** A client of server-sent events that keeps all that it was sent. @throws if the answer is no stream */
export async function eventReader(url: string, headers: Record<string, string>) {
  const abort = new AbortController()
  const response = await fetch(url, { headers, signal: abort.signal })
  if (response.status !== 200 || response.body === null) throw new Error(`${response.status} ${await response.text()}`)
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  const told: Told[] = []
  let text = ''
  let unread = ''

  /** False at the end. */
  async function more(): Promise<boolean> {
    const { done, value } = await reader.read()
    if (done) return false
    const chunk = decoder.decode(value, { stream: true })
    text += chunk
    const blocks = (unread + chunk).split('\n\n')
    unread = blocks.pop() ?? ''
    for (const block of blocks) if (block.includes('data: ')) told.push(parse(block))
    return true
  }

  return {
    headers: response.headers,
    text: () => text,
    more,
    /** The first `count` events, as soon as they are there. */
    take: async (count: number): Promise<readonly Told[]> => {
      while (told.length < count)
        if (!(await more())) throw new Error(`ended after ${told.length} of ${count}:\n${text}`)
      return told.slice(0, count)
    },
    /** The same, or fewer if the stream is cut off before. */
    upTo: async (count: number): Promise<readonly Told[]> => {
      const isCut = (error: unknown) => error instanceof TypeError && error.message === 'terminated'
      const next = () => more().catch((error) => (isCut(error) ? false : Promise.reject(error)))
      while (told.length < count) if (!(await next())) break
      return told.slice(0, count)
    },
    /** All, when it has ended. */
    rest: async (): Promise<readonly Told[]> => {
      while (await more());
      return told
    },
    close: () => abort.abort(),
  }
}

function parse(block: string): Told {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1]
  return { id: field('id'), event: field('event'), data: JSON.parse(field('data') ?? 'null') }
}
