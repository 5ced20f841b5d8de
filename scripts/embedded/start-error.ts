/** A part could not start. The message is one sentence for the person at the terminal: what happened and what to do next. */
export class StartError extends Error {
  override readonly name = 'StartError'
}
