import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { problemOf } from '../api/middleware/problem.ts'
import { type ErrorCode, errors } from '../core/errors.ts'

/**
 * Writes docs/errors from the table in core/errors.ts: a page per code and an index.
 * With `--check` it writes nothing and exits with 1 if a page is missing, stale or left over.
 */
const folder = new URL('../docs/errors/', import.meta.url)

const pages = new Map<string, string>([
  ['README.md', index()],
  ...(Object.keys(errors) as ErrorCode[]).map((code): [string, string] => [`${code}.md`, page(code)]),
])
const written = await existing()
const stale = [...pages].filter(([name, text]) => written.get(name) !== text).map(([name]) => name)
const leftOver = [...written.keys()].filter((name) => !pages.has(name))

if (process.argv.includes('--check')) {
  for (const name of [...stale, ...leftOver]) console.error(`docs/errors/${name} does not match core/errors.ts.`)
  if (stale.length + leftOver.length > 0) {
    console.error('Run: node scripts/generate-error-docs.ts')
    process.exitCode = 1
  }
} else {
  await mkdir(folder, { recursive: true })
  await Promise.all(stale.map((name) => writeFile(new URL(name, folder), pages.get(name) ?? '')))
  await Promise.all(leftOver.map((name) => rm(new URL(name, folder))))
  console.log(`${pages.size} pages in docs/errors, ${stale.length} written, ${leftOver.length} removed`)
}

function index(): string {
  const rows = (Object.keys(errors) as ErrorCode[]).map((code) => {
    const { status, title } = errors[code]
    return `| [${code}](${code}.md) | ${status} | ${isRetryable(code) ? 'yes' : 'no'} | ${title} |`
  })
  return `# Errors

Every refusal of the API is \`application/problem+json\` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) with one of
these codes. A code never changes its meaning. They stand in the order in which a request meets them. Made from
\`core/errors.ts\` by \`scripts/generate-error-docs.ts\`.

| code | status | retry the same request? | meaning |
|---|---|---|---|
${rows.join('\n')}
`
}

function page(code: ErrorCode): string {
  const { status, title, next } = errors[code]
  const example = problemOf(
    { code, detail: title, fields: {} },
    { requestId: '6f1d3c1e-2b7a-4c55-9d0e-3a9b8c7d6e5f', origin: 'https://api.example' },
  )
  const retry = isRetryable(code)
    ? 'Yes: the very same request, with the same `Idempotency-Key`, may succeed later.'
    : 'No: the same request gets the same answer.'
  return `# ${code}

**${title}.**

| status | retryable |
|---|---|
| ${status} | ${isRetryable(code) ? 'yes' : 'no'} |

## What to do next

${next}

## Does a retry help?

${retry}

## Example

\`detail\` says what was wrong this time; further fields hold its facts.

\`\`\`json
${JSON.stringify(example, null, 2)}
\`\`\`

[All errors](README.md)
`
}

function isRetryable(code: ErrorCode): boolean {
  const entry: { status: number; retryable?: true } = errors[code]
  return entry.retryable === true
}

async function existing(): Promise<ReadonlyMap<string, string>> {
  const names = await readdir(folder).catch(() => [])
  const texts = await Promise.all(names.map((name) => readFile(new URL(name, folder), 'utf8')))
  return new Map(names.map((name, at) => [name, texts[at] ?? '']))
}
