import { readFile, writeFile } from 'node:fs/promises'
import { type Figure, nameOf } from './figures.ts'

const file = new URL('./snapshot.json', import.meta.url)
/** How far a figure may grow before it fails, as a share of the accepted one; inclusive. */
const growthMax = 0.005
const howToAccept = 'node bench/gas/main.ts --accept'

/** Accepted gas per payment, by `nameOf`. Ours only: the baselines are there to be compared with. */
export type Snapshot = Readonly<Record<string, number>>

type Change =
  | { readonly kind: 'grown' | 'fallen'; readonly name: string; readonly accepted: number; readonly measured: number }
  /** Measured, but never accepted. */
  | { readonly kind: 'new'; readonly name: string; readonly measured: number }
  /** Accepted, but not measured any more. */
  | { readonly kind: 'gone'; readonly name: string; readonly accepted: number }

/** What differs by more than `growthMax`. All but `fallen` fail the tests. */
export function changesBetween(snapshot: Snapshot, figures: readonly Figure[]): readonly Change[] {
  const measuredOf = new Map(figures.map((figure) => [nameOf(figure), figure.gasPerPayment]))
  const changes: Change[] = []
  for (const [name, measured] of measuredOf) {
    const accepted = snapshot[name]
    if (accepted === undefined) changes.push({ kind: 'new', name, measured })
    else if (growth({ accepted, measured }) > growthMax) changes.push({ kind: 'grown', name, accepted, measured })
    else if (growth({ accepted, measured }) < -growthMax) changes.push({ kind: 'fallen', name, accepted, measured })
  }
  for (const [name, accepted] of Object.entries(snapshot)) {
    if (!measuredOf.has(name)) changes.push({ kind: 'gone', name, accepted })
  }
  return changes
}

/** One sentence with both numbers and what to do. */
export function tell(change: Change): string {
  switch (change.kind) {
    case 'new':
      return `${change.name} is new at ${change.measured} gas. Accept it: ${howToAccept}`
    case 'gone':
      return `${change.name} was accepted at ${change.accepted} gas and is not measured any more. Accept that: ${howToAccept}`
    case 'grown':
      return `${change.name} grew from ${change.accepted} to ${change.measured} gas (${percent(change)}, allowed ${growthMax * 100} %). If it is worth that: ${howToAccept}`
    case 'fallen':
      return `${change.name} fell from ${change.accepted} to ${change.measured} gas (${percent(change)}). Keep it from growing back: ${howToAccept}`
  }
}

type Pair = { readonly accepted: number; readonly measured: number }

/** As a share of what was accepted; negative if it fell. */
function growth({ accepted, measured }: Pair): number {
  return (measured - accepted) / accepted
}

function percent(pair: Pair): string {
  const share = growth(pair) * 100
  return `${share > 0 ? '+' : ''}${share.toFixed(2)} %`
}

/** Empty before anything was accepted. @throws if the file is there and cannot be read */
export async function readSnapshot(): Promise<Snapshot> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '{}'
    throw error
  })
  return JSON.parse(text)
}

export async function acceptSnapshot(figures: readonly Figure[]): Promise<void> {
  const snapshot: Snapshot = Object.fromEntries(figures.map((figure) => [nameOf(figure), figure.gasPerPayment]))
  await writeFile(file, `${JSON.stringify(snapshot, null, 2)}\n`)
}
