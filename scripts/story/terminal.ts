import { styleText } from 'node:util'

const width = 11

/** Writes the story: a line per fact, a line that moves while something takes time. */
export type Terminal = {
  readonly heading: (text: string) => void
  /** Runs `work` under a title; `say` replaces the moving line, `tell` adds a fact that stays. */
  readonly step: <Result>(title: string, work: (line: StepLines) => Promise<Result>) => Promise<Result>
  readonly table: (header: readonly string[], rows: readonly (readonly string[])[]) => void
  readonly text: (text: string) => void
}
export type StepLines = { readonly say: (text: string) => void; readonly tell: (text: string) => void }

export function createTerminal(out: NodeJS.WriteStream): Terminal {
  const isLive = out.isTTY === true
  const style = (format: Parameters<typeof styleText>[0], text: string): string =>
    styleText(format, text, { stream: out })
  const line = (text: string): void => void out.write(`${text}\n`)
  const clear = (): void => void (isLive && out.write('\r\u001b[2K'))

  return {
    heading: (text) => line(`\n${style('bold', text)}\n`),
    text: line,
    step: async (title, work) => {
      const startedMillis = performance.now()
      let label = style('bold', title.padEnd(width))
      const tell = (text: string): void => {
        clear()
        line(`  ${label} ${text}`)
        label = ' '.repeat(width)
      }
      const say = (text: string): void => {
        if (!isLive) return
        const seconds = ((performance.now() - startedMillis) / 1000).toFixed(1)
        const room = (out.columns ?? 80) - width - 12
        clear()
        out.write(`  ${label} ${style('dim', `${text.slice(0, room)} ${seconds} s`)}`)
      }
      say('…')
      try {
        return await work({ say, tell })
      } finally {
        clear()
      }
    },
    table: (header, rows) => {
      const widths = header.map((name, column) =>
        Math.max(name.length, ...rows.map((row) => (row[column] ?? '').length)),
      )
      const show = (row: readonly string[]): string =>
        row
          .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
          .join('   ')
      line('')
      line(`  ${style('dim', show(header))}`)
      for (const row of rows) line(`  ${show(row)}`)
      line('')
    },
  }
}
