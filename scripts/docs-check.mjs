// Checks the README and the guides: each `arq-ts` command has the verb and the flags that it names, each TypeScript block
// compiles, one module each, and all blocks run against the packed packages, commands among them, whose output is compared.
//
// A block that begins with `// name.ts` is that file, for the blocks of its page to import. A reader knows from the page
// what `client` is; the check knows it from a comment that pages do not show, and that holds for the blocks after it:
//   <!-- given: const client = new Client() -->
// A block that pages do not show runs once, before the next block:
//   <!-- setup: await client.enqueue('greet', ['Ada']) -->
// Exports of our packages, and zod's `z`, need no import in a block.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { unknownCommands } from './docs/commands.mjs'
import { pages, PACKAGES, partsOf } from './docs/pages.mjs'
import { linkPackages, runBlocks } from './docs/run.mjs'
import { root, run } from './lib/command.mjs'
import { ensureRedis } from './lib/redis.mjs'
import { red, say } from './lib/say.mjs'
import { ensureBuild, ensureDependencies } from './lib/setup.mjs'
import { ensurePacked } from './packages/pack.mjs'

/** Folders in which the other packages that blocks import are installed. */
const LENDERS = ['packages/core', 'packages/dashboard', 'packages/qdrant', 'packages/write-behind', 'examples', '.']

/** The package of a line that imports one. */
const PACKAGE = / from '((?:@[^/']+\/)?[^./':][^/':]*)(?:\/[^']*)?'/g
/** Packages that a reader has already, in the application or from the first guide. */
const APPLICATION = ['express', '@arq-ts/core', 'zod']

await ensureDependencies()
await ensureBuild()
const { app } = await ensurePacked()
const out = join(root, '.cache', 'docs-check')
rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
linkPackages(
  out,
  app,
  LENDERS.map((lender) => join(root, lender, 'node_modules')),
)
const names = await publicNames()
const blocks = pages.flatMap(writePage)
const only = process.argv.slice(2) // pages to look at
const problems = [
  ...missingInstalls(),
  ...(await typeProblems()),
  ...(await unknownCommands()),
  ...(await runProblems()),
]
for (const problem of problems) say(red(problem))
process.exitCode = problems.length > 0 ? 1 : 0

async function typeProblems() {
  writeFileSync(
    join(out, 'tsconfig.json'),
    JSON.stringify({
      extends: relative(out, join(root, 'tsconfig.base.json')),
      compilerOptions: {
        noEmit: true,
        composite: false,
        incremental: false,
        noUnusedLocals: false,
        noUnusedParameters: false,
        isolatedDeclarations: false,
        erasableSyntaxOnly: true, // Node runs such types without a build
        allowImportingTsExtensions: true,
        customConditions: [],
        skipLibCheck: true,
        jsx: 'preserve',
        types: ['node'],
        typeRoots: [join(root, 'node_modules/@types')],
      },
      include: ['types/**/*.ts'],
    }),
  )
  const code = await run(join(root, 'node_modules/.bin/tsc'), ['-p', out])
  if (code !== 0) return ['blocks do not compile']
  say(`${blocks.filter(({ isChecked }) => isChecked).length} blocks of ${pages.length} pages type-check`)
  return []
}

async function runProblems() {
  const chosen = blocks.filter(({ page }) => only.length === 0 || only.includes(page))
  delete process.env.REDIS_URL // pages begin with an empty Redis: it must be one of ours
  const redis = await ensureRedis()
  try {
    const found = await runBlocks(chosen, { out, app, redisUrl: redis.url })
    const left = chosen.filter(({ notRun }) => notRun !== undefined)
    say(
      `${chosen.length - left.length} blocks run; ${left.length} cannot here, for the reason in a comment before each`,
    )
    return found
  } finally {
    await redis.stop()
  }
}

/** Writes the blocks of a page into a folder of its own. */
function writePage(page) {
  const folder = join(out, 'types', page.replace(/\.md$/, '').replaceAll('/', '-'))
  const given = []
  const written = []
  for (const { given: comment, setup, line, notRun, ...block } of partsOf(page)) {
    const { language, source } = setup === undefined ? block : { language: 'ts', source: setup }
    if (comment !== undefined) given.push(...comment.split('\n'))
    if (language === 'sh' || language === 'console')
      written.push({ page, file: join(folder, `line-${line}.${language}`), source, notRun, isChecked: false })
    if (language !== 'ts' && language !== 'js') continue
    const name = /^\/\/ (\S+\.ts)\b/.exec(source)?.[1] ?? `line-${line}.ts`
    const isFile = !name.startsWith('line-')
    const body = isFile ? source : [...given.filter((each) => !redeclares(each, source)), source].join('\n')
    const whole = `${importsFor(body)}\n${body}\nexport {}\n`
    const file = join(folder, name)
    mkdirSync(dirname(file), { recursive: true })
    if (language === 'ts') writeFileSync(file, whole)
    written.push({ page, file, source: whole, notRun, isChecked: language === 'ts' })
  }
  return written
}

/** Packages that the blocks of a page import, and that it does not install, where it installs any. */
function missingInstalls() {
  return pages.flatMap((page) => {
    const text = readFileSync(join(root, page), 'utf8')
    const lines = [...text.matchAll(/\bnpm install ([^`\n]+)/g)]
    if (lines.length === 0) return []
    const installed = new Set([...lines.flatMap(([, names]) => names.split(/\s+/)), ...APPLICATION])
    const sources = [...partsOf(page)].map(({ source = '' }) => source)
    const imported = sources.flatMap((source) => [...source.matchAll(PACKAGE)].map(([, name]) => name))
    const missing = [...new Set(imported)].filter((name) => !installed.has(name))
    return missing.map((name) => `${page}: it imports ${name}, which none of its \`npm install\` has`)
  })
}

/** True for a block that brings itself what a line gives: of such a line it takes nothing. */
function redeclares(line, source) {
  const name = /^(?:declare )?(?:const|function) (\w+)|\{ (\w+) \}/.exec(line)?.slice(1).find(Boolean)
  const declared = `\\b(?:const|let|function) (?:\\{[^}]*)?\\b${name}\\b|import .*\\b${name}\\b`
  return name !== undefined && new RegExp(declared).test(source)
}

/** Imports of the names that a block uses and does not have. */
function importsFor(body) {
  const own = [...body.matchAll(/^\s*import\s+([\s\S]*?)\s+from\s/gm)].map(([, clause]) => clause).join(' ')
  const declared = (name) =>
    new RegExp(`\\b(const|let|function|class|type|interface)\\s+${name}\\b`).test(body) ||
    new RegExp(`\\b${name}\\b`).test(own)
  return [...names]
    .filter(([name]) => new RegExp(`(?<![.\\w'"/-])${name}\\b(?!['"/-])`).test(body) && !declared(name))
    .map(([name, { from, isType }]) => `import ${isType ? 'type ' : ''}{ ${name} } from '${from}'`)
    .join('\n')
}

/** Exports of the published entries: the entry, and whether they are types only. */
async function publicNames() {
  const names = new Map([['z', { from: 'zod', isType: false }]])
  for (const folder of PACKAGES.filter((name) => name !== 'protocol')) {
    const manifest = JSON.parse(readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8'))
    for (const [entry, target] of Object.entries(manifest.publishConfig.exports)) {
      if (typeof target === 'string') continue
      const values = Object.keys(await import(join(root, 'packages', folder, target.default)))
      const types = readFileSync(join(root, 'packages', folder, target.types), 'utf8')
      const typeNames = [...types.matchAll(/export type \{([^}]*)\}/g)].flatMap(([, list]) =>
        list.split(',').map((name) =>
          name
            .trim()
            .split(/\s+as\s+/)
            .at(-1),
        ),
      )
      const from = manifest.name + entry.slice(1)
      for (const name of [...values, ...typeNames])
        if (name && !names.has(name)) names.set(name, { from, isType: !values.includes(name) })
    }
  }
  return names
}
