/** Ends a start that cannot succeed, for faults that the person at the terminal can mend: the sentence, without a stack. */
export function exitWith(error: unknown): never {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}

/** What `read` returns, or the end of the process with its sentence. */
export function orExit<Value>(read: () => Value): Value {
  try {
    return read()
  } catch (error) {
    return exitWith(error)
  }
}
