// Starts one part of each kind, prints the process ids of all of them, and waits to be killed.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { startAnvil } from '../../scripts/embedded/chain-anvil.ts'
import { startHardhat } from '../../scripts/embedded/chain-hardhat.ts'
import { startPostgres } from '../../scripts/embedded/postgres.ts'
import { isAlive } from './directory.ts'

const directory = process.argv[2] ?? ''
await Promise.all([
  startPostgres({ directory: join(directory, 'postgres') }),
  startAnvil({ blockSeconds: 1 }),
  startHardhat({ blockSeconds: 1, journalFile: join(directory, 'journal.jsonl') }),
])

const processes = execFileSync('ps', ['-e', '-o', 'pid=,ppid='], { encoding: 'utf8' })
  .trim()
  .split('\n')
  .map((line) => line.trim().split(/\s+/).map(Number) as [number, number])
const descendants = new Set([process.pid])
for (let before = 0; before < descendants.size; ) {
  before = descendants.size
  for (const [pid, parent] of processes) if (descendants.has(parent)) descendants.add(pid)
}
// The list holds the ps that made it, too.
const parts = [...descendants].filter((pid) => pid !== process.pid && isAlive(pid))
console.log(JSON.stringify(parts))
