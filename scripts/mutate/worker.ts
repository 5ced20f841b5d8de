// A process of its own, so that a mutant that never ends can be ended. Takes tasks and gives answers as messages.
import { CompilerError, compile } from './compiler.ts'
import type { Mutant } from './mutant.ts'
import { compiledRoots, rootsWith, testFiles } from './sources.ts'
import { openStage } from './stage.ts'

/** `testFiles` in the order in which they are asked, until one fails. */
export type Task = { readonly mutant: Mutant; readonly testFiles: readonly string[] }

/** `killed`: by the test file. */
export type Answer =
  | { readonly outcome: 'killed'; readonly by: string }
  | { readonly outcome: 'survived' }
  | { readonly outcome: 'did not compile' }

const stage = await openStage()
process.once('disconnect', async () => {
  await stage.close()
  process.exit()
})
const original = compile(compiledRoots)
await stage.put(original)
// A test that fails on the contracts as they are would kill everything.
const unchanged = await firstFailing(testFiles)
if (unchanged.outcome === 'killed') throw new Error(`${unchanged.by} fails on the contracts as they are.`)
process.on('message', async (task: Task) => process.send?.(await answerTo(task)))

async function answerTo(task: Task): Promise<Answer> {
  const roots = rootsWith(task.mutant.file)
  try {
    await stage.put(compile(roots, task.mutant))
  } catch (error) {
    if (error instanceof CompilerError) return { outcome: 'did not compile' }
    throw error
  }
  try {
    return await firstFailing(task.testFiles)
  } finally {
    await stage.put(Object.fromEntries(roots.map((root) => [root, original[root] ?? {}])))
  }
}

async function firstFailing(files: readonly string[]): Promise<Answer> {
  for (const file of files) if (!(await stage.passes(file))) return { outcome: 'killed', by: file }
  return { outcome: 'survived' }
}
