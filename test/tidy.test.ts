import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { errors } from '../core/errors.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const codeFolders = ['adapters', 'api', 'bench', 'contracts', 'core', 'relayer', 'scripts', 'sdk', 'test']
const pages = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md']

/** Paths from the root, of every file below the folders. */
async function list(folders: readonly string[], pattern: RegExp): Promise<readonly string[]> {
  const found = await Promise.all(
    folders.map(async (folder) => {
      const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true })
      return entries
        .filter((entry) => entry.isFile() && !/node_modules|sdk\/dist/.test(entry.parentPath))
        .map(({ parentPath, name }) => join(parentPath, name).slice(root.length))
    }),
  )
  return found
    .flat()
    .filter((path) => pattern.test(path))
    .toSorted()
}

const read = (path: string): Promise<string> => readFile(join(root, path), 'utf8')

/** `path:line text` of each line that matches. */
async function grep(
  paths: readonly string[],
  pattern: RegExp,
  prepare: (text: string) => string = (text) => text,
): Promise<readonly string[]> {
  const found = await Promise.all(
    paths.map(async (path) =>
      prepare(await read(path))
        .split('\n')
        .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1} ${line.trim()}`] : [])),
    ),
  )
  return found.flat()
}

/** Comments become blanks, so that lines keep their numbers. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(?<![:'"`])\/\/.*/g, (comment) => comment.replace(/[^\n]/g, ' '))
}

type Ended = { readonly code: number | null; readonly stdout: string; readonly text: string }

/** Runs a program of ours or of a package. `text`: all that it printed. */
function run(args: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...process.env, NO_COLOR: '1', HARDHAT_DISABLE_TELEMETRY: 'true' },
    })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => {
      stdout += chunk
    })
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    child.once('error', reject).once('close', (code) => resolve({ code, stdout, text: stdout + stderr }))
  })
}

test('imports point inward, without cycles and barrels', async () => {
  const cruise = await run([
    'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs',
    ...['--config', '.dependency-cruiser.cjs', '--output-type', 'json'],
    ...codeFolders,
  ])
  const { modules, summary } = JSON.parse(cruise.stdout)
  const faults = summary.violations.map(
    ({ rule, from, to }: { rule: { name: string }; from: string; to: string }) => `${rule.name}: ${from} → ${to}`,
  )
  expect(faults).toEqual([])
  // A cruiser that cannot read TypeScript finds no fault in anything.
  const seen = new Set(modules.map(({ source }: { source: string }) => source))
  const unseen = (await list(codeFolders, /\.ts$/)).filter((path) => !seen.has(path))
  expect(unseen, 'dependency-cruiser reads TypeScript through @swc/core').toEqual([])
})

test('no file, export or dependency is without use', async () => {
  const { code, text } = await run(['node_modules/knip/bin/knip.js', '--no-progress'])
  expect(code, text).toBe(0)
})

test('nothing is a drawer', async () => {
  const drawer = /(^|\/)(utils?|helpers?|common|misc)(\.[^/]*)?(\/|$)|(^|\/)index\.[^/]*$/i
  expect((await list(codeFolders, /./)).filter((path) => drawer.test(path))).toEqual([])
})

test('TypeScript files are named in kebab-case', async () => {
  const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|suite|config))?\.ts$/
  expect((await list(codeFolders, /\.ts$/)).filter((path) => !kebab.test(basename(path)))).toEqual([])
})

test('every error code has its page, and every page its code', async () => {
  const documented = (await list(['docs/errors'], /\.md$/)).map((path) => basename(path, '.md'))
  expect(documented.filter((name) => name !== 'README')).toEqual(Object.keys(errors).toSorted())
})

const generators = (await list(['scripts'], /^scripts\/generate-[a-z-]+\.ts$/)).map((path) => [path] as const)
// A build of the contracts that is not cached takes about a minute.
test.each(generators)('what %s makes is fresh', { timeout: 300_000 }, async (generator) => {
  const { code, text } = await run([generator, '--check'])
  expect(code, text).toBe(0)
})

test('core knows no clock, chance, environment, console or async', async () => {
  const impure =
    /\bDate\.now\b|\bnew Date\(|\bMath\.random\b|\brandomBytes\b|\bgetRandomValues\b|\brandomUUID\b|\bprocess\.|\bperformance\.|\bsetTimeout\b|\bsetInterval\b|\bconsole\.|\bfetch\(|\basync\b|\bawait\b|\bfrom 'node:/
  expect(await grep(await list(['core'], /\.ts$/), impure, withoutComments)).toEqual([])
})

test('core/ports holds no code but errors and one conversion', async () => {
  const code = /^\s*(export )?(const|let|function|for|if|while|return) ?\b/
  const found = await grep(await list(['core/ports'], /\.ts$/), code, withoutComments)
  expect(found.filter((line) => !line.startsWith('core/ports/clock.ts'))).toEqual([])
})

test('migrations are numbered from 0001 without gaps', async () => {
  const names = (await list(['adapters/postgres/migrations'], /./)).map((path) => basename(path))
  const expected = names.map((_, index) => String(index + 1).padStart(4, '0'))
  expect(names.filter((name) => !/^\d{4}-[a-z0-9-]+\.sql$/.test(name))).toEqual([])
  expect(names.map((name) => name.slice(0, 4))).toEqual(expected)
})

test('no test is left out', async () => {
  const leftOut = /\b(test|it|describe|suite)(\.\w+)*\.(skip|only|todo|fails)\b/
  expect(await grep(await list(['test'], /\.ts$/), leftOut)).toEqual([])
})

test('nothing is put off in a comment', async () => {
  const later = new RegExp(`\\b(${['TO', 'FIX'].map((half) => `${half}${half === 'TO' ? 'DO' : 'ME'}`).join('|')})\\b`)
  const paths = [...(await list([...codeFolders, 'docs'], /\.(ts|mjs|sol|sql|md)$/)), ...pages]
  expect(
    await grep(
      paths.filter((path) => existsSync(join(root, path))),
      later,
    ),
  ).toEqual([])
})

test('dependencies are pinned to one version', async () => {
  const all = await Promise.all(
    ['package.json', 'sdk/package.json', 'test/peers/package.json'].map(async (path) => {
      const { dependencies, devDependencies }: Record<string, Record<string, string>> = JSON.parse(await read(path))
      return Object.entries({ ...dependencies, ...devDependencies })
    }),
  )
  // A folder of ours is its own version.
  const pinned = /^(\d+\.\d+\.\d+(-[\w.]+)?|file:scripts\/[\w/-]+)$/
  const loose = all.flat().filter(([, version]) => !pinned.test(version))
  expect(loose).toEqual([])
})

test('links and paths in the documentation lead somewhere', async () => {
  const paths = [...pages.filter((path) => existsSync(join(root, path))), ...(await list(['docs'], /\.md$/))]
  const broken = await Promise.all(
    paths.map(async (path) => {
      const text = await read(path)
      const links = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)].map(([, to = '']) =>
        join(dirname(path), to),
      )
      const named = [
        ...text.matchAll(/`((?:adapters|api|contracts|core|docs|relayer|scripts|sdk|test)\/[\w./-]*)`/g),
      ].map(([, to = '']) => to)
      return [...links, ...named].filter((to) => !existsSync(join(root, to))).map((to) => `${path} → ${to}`)
    }),
  )
  expect(broken.flat()).toEqual([])
})
