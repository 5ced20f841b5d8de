/** What came of one property. `fault` absent: it held in every run. */
export type Verdict = {
  readonly property: string
  readonly runs: number
  readonly seconds: number
  /** What went wrong, and with which arguments. */
  readonly fault?: string | undefined
}

export function tell({ property, runs, seconds, fault }: Verdict): string {
  const counted = `${runs.toLocaleString('en')} runs`.padStart(12)
  const told = `${fault === undefined ? 'holds' : 'FAILS'}  ${counted}  ${seconds.toFixed(1).padStart(6)} s  ${property}`
  return fault === undefined ? told : `${told}\n${fault.replaceAll(/^/gm, '         ')}`
}

export function summary(verdicts: readonly Verdict[], seconds: number): string {
  const runs = verdicts.reduce((sum, verdict) => sum + verdict.runs, 0)
  const failed = verdicts.filter(({ fault }) => fault !== undefined).length
  const took = `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
  const said = failed === 0 ? 'All hold' : `${failed} ${failed === 1 ? 'fails' : 'fail'}`
  return `${said}: ${verdicts.length} properties, ${runs.toLocaleString('en')} runs, ${took}.`
}
