/** The queue cannot be asked. The wake-up is lost, which does no harm: a sweeper finds what waits. */
export class QueueUnavailableError extends Error {
  constructor(what: string, { cause }: { readonly cause?: unknown } = {}) {
    super(`The queue did not answer: ${what}`, { cause })
    this.name = 'QueueUnavailableError'
  }
}

/** @throws QueueUnavailableError if `ask` fails or takes longer. What it started is not called back. */
export async function within(millisMax: number, ask: () => Promise<unknown>, what: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new QueueUnavailableError(`${what} took over ${millisMax} ms`)), millisMax)
  })
  try {
    await Promise.race([ask(), tooLate])
  } catch (cause) {
    throw cause instanceof QueueUnavailableError ? cause : new QueueUnavailableError(what, { cause })
  } finally {
    clearTimeout(timer)
  }
}
