import { setTimeout as sleep } from 'node:timers/promises'

const triesMax = 5

/** `deadlock_detected` and `serialization_failure`: Postgres rolled us back for somebody else's sake; the same work may succeed now. */
const isContention = (error: unknown): boolean => {
  const { code } = error as { code?: unknown }
  return code === '40P01' || code === '40001'
}

/** Runs a whole DB transaction again when it lost to another one. Anything else it throws, and the last loss, pass through. */
export async function retryContention<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (!isContention(error) || tries === triesMax) throw error
      // Longer after each, so that whoever collided does not collide again in step.
      await sleep(2 ** tries * 5)
    }
  }
}
