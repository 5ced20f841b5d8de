// A process of its own, so that a mutant that never ends can be ended. Takes tasks and gives answers as messages.
import { CompilerError, compile } from './compiler.ts'
import type { Mutant } from './mutant.ts'
import { compiledRoots, rootsWith } from './sources.ts'
import { openStage } from './stage.ts'

/** `mutant` undefined: the contracts as they are. */
export type Task = { readonly mutant?: Mutant | undefined; readonly testFiles: readonly string[] }

/** `killed`: by the test file. */
export type Answer =
  | { readonly outcome: 'killed'; readonly by: string }
  | { readonly outcome: 'survived' }
  | { readonly outcome: 'did not compile' }

const stage = await openStage()
const original = compile(compiledRoots)
await stage.put(original)

process.on('message', async (task: Task) => {
  process.send?.(await answerTo(task))
})
process.once('disconnect', async () => {
  await stage.close()
  process.exit()
})

async function answerTo({ mutant, testFiles }: Task): Promise<Answer> {
  if (mutant === undefined) return firstFailing(testFiles)
  const roots = rootsWith(mutant.file)
  try {
    await stage.put(compile(roots, mutant))
  } catch (error) {
    if (error instanceof CompilerError) return { outcome: 'did not compile' }
    throw error
  }
  try {
    return await firstFailing(testFiles)
  } finally {
    await stage.put(Object.fromEntries(roots.map((root) => [root, original[root] ?? {}])))
  }
}

async function firstFailing(testFiles: readonly string[]): Promise<Answer> {
  for (const testFile of testFiles) if (!(await stage.passes(testFile))) return { outcome: 'killed', by: testFile }
  return { outcome: 'survived' }
}
