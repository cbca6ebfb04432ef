// Looks up every `arq-ts` command of the README and the guides in the command's own help: its verb and its flags exist.
// Type-checks every TypeScript block of the README and the guides against the built packages, one module each.
//
// A block that begins with `// name.ts` is that file, for the blocks of its page to import. A reader knows from the page
// what `client` is; the check knows it from a comment that pages do not show, and that holds for the blocks after it:
//   <!-- given: declare const client: Client -->
// Exports of our packages, and zod's `z`, need no import in a block.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { root, run } from './lib/command.mjs'
import { say } from './lib/say.mjs'
import { ensureBuild, ensureDependencies } from './lib/setup.mjs'

const PACKAGES = ['core', 'qdrant', 'write-behind', 'canary', 'dashboard', 'testkit', 'protocol']
/** Where the packages that blocks import are installed. */
const LENDERS = ['packages/core', 'packages/dashboard', 'packages/qdrant', 'packages/write-behind', 'examples', '.']

await ensureDependencies()
await ensureBuild()
const out = join(root, '.cache', 'docs-check')
rmSync(out, { recursive: true, force: true })

const names = await publicNames()
install()
const markdown = (folder) =>
  readdirSync(join(root, folder))
    .filter((file) => file.endsWith('.md'))
    .map((file) => join(folder, file))
const pages = [
  'README.md',
  ...markdown('docs'),
  ...markdown('docs/guides'),
  ...PACKAGES.map((name) => `packages/${name}/README.md`),
]
let count = 0
for (const page of pages) count += writePage(page)

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
      verbatimModuleSyntax: false,
      allowImportingTsExtensions: true,
      customConditions: [],
      skipLibCheck: true,
      jsx: 'preserve',
      types: ['node'],
      typeRoots: [join(root, 'node_modules/@types')],
    },
    include: ['**/*.ts'],
  }),
)
const code = await run(join(root, 'node_modules/.bin/tsc'), ['-p', out])
if (code === 0) say(`${count} blocks of ${pages.length} pages type-check`)
const unknown = await unknownCommands()
for (const line of unknown) say(line)
process.exitCode = unknown.length > 0 ? 1 : code

/** Commands of shell blocks whose verb or flags the command does not have, a line each. */
async function unknownCommands() {
  const { runCommand } = await import(join(root, 'packages/cli/dist/cli.js'))
  const helps = new Map()
  const helpOf = async (words) => {
    const key = words.join(' ')
    if (!helps.has(key)) {
      let text = ''
      const sink = { write: (part) => (text += part) }
      const { log } = console // where the parser prints help
      console.log = sink.write
      await runCommand([...words, '--help'], { stdout: sink, stderr: sink, env: {} })
      console.log = log
      helps.set(key, text)
    }
    return helps.get(key)
  }
  const wrong = []
  let looked = 0
  for (const page of pages) {
    const blocks = readFileSync(join(root, page), 'utf8').matchAll(/^```(?:sh|bash|console)\n([\s\S]*?)^```$/gm)
    for (const line of [...blocks].flatMap(([, block]) => block.split('\n'))) {
      const words = /^(?:\$ )?arq-ts (.+?)(?:\s+#.*)?$/.exec(line)?.[1].split(/\s+/)
      if (!words) continue
      looked++
      const verbs = words.slice(0, words.findIndex((word) => !/^[a-z][a-z-]*$/.test(word)) >>> 0).slice(0, 2)
      const help = verbs.length > 0 ? await helpOf(verbs) : ''
      const isVerb = new RegExp(`arq-ts ${verbs[0]}\\b`).test(help)
      const flags = words.flatMap((word) => /^--[a-z][a-z-]*/.exec(word)?.[0].replace(/^--no-/, '--') ?? [])
      const missing = flags.filter((flag) => !new RegExp(`${flag}\\b`).test(help))
      if (!isVerb) wrong.push(`${page}: there is no command 'arq-ts ${verbs.join(' ')}'`)
      for (const flag of missing) wrong.push(`${page}: 'arq-ts ${verbs.join(' ')}' has no flag ${flag}`)
    }
  }
  if (wrong.length === 0) say(`${looked} commands name verbs and flags that exist`)
  return wrong
}

/** Writes the blocks of a page into a folder of its own; returns their number. */
function writePage(page) {
  const text = readFileSync(join(root, page), 'utf8')
  const folder = join(out, page.replace(/\.md$/, '').replaceAll('/', '-'))
  const given = []
  let blocks = 0
  for (const [, comment, source, at] of parts(text)) {
    if (comment !== undefined) {
      given.push(...comment.split('\n'))
      continue
    }
    blocks++
    const file = /^\/\/ (\S+\.ts)\b/.exec(source)?.[1] ?? `line-${at}.ts`
    const isFile = !file.startsWith('line-')
    const body = isFile ? source : [...given.filter((line) => !redeclares(line, source)), source].join('\n')
    const target = join(folder, file)
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, `${importsFor(body)}\n${body}\nexport {}\n`)
  }
  return blocks
}

/** Whether a block brings itself what a line gives: of such a line it takes nothing. */
function redeclares(line, source) {
  const name = /^(?:declare )?(?:const|function) (\w+)|\{ (\w+) \}/.exec(line)?.slice(1).find(Boolean)
  const declared = `\\b(?:const|let|function) (?:\\{[^}]*)?\\b${name}\\b|import .*\\b${name}\\b`
  return name !== undefined && new RegExp(declared).test(source)
}

/** Comments and TypeScript blocks of a page, in their order. */
function* parts(text) {
  for (const match of text.matchAll(/<!-- given:\s*([\s\S]*?)\s*-->|^```ts\n([\s\S]*?)^```$/gm)) {
    const line = text.slice(0, match.index).split('\n').length
    yield [undefined, match[1], match[2], line]
  }
}

/** Imports of the names that a block uses and does not have. */
function importsFor(body) {
  const own = [...body.matchAll(/^\s*import\s+([\s\S]*?)\s+from\s/gm)].map(([, clause]) => clause).join(' ')
  const declared = (name) =>
    new RegExp(`\\b(const|let|function|class|type|interface)\\s+${name}\\b`).test(body) ||
    new RegExp(`\\b${name}\\b`).test(own)
  return [...names]
    .filter(([name]) => new RegExp(`(?<![.\\w'"/-])${name}\\b(?!['"/-])`).test(body) && !declared(name))
    .map(([name, from]) => `import { ${name} } from '${from}'`)
    .join('\n')
}

/** Our packages, and all that they depend on, as a user's folder has them. */
function install() {
  const link = (target, name) => {
    const at = join(out, 'node_modules', name)
    mkdirSync(dirname(at), { recursive: true })
    if (!existsSync(at)) symlinkSync(target, at)
  }
  for (const folder of PACKAGES) link(join(root, 'packages', folder), `@arq-ts/${folder}`)
  for (const lender of LENDERS) {
    const folder = join(root, lender, 'node_modules')
    for (const name of existsSync(folder) ? readdirSync(folder) : []) {
      if (name.startsWith('.')) continue
      const isScope = name.startsWith('@')
      for (const inner of isScope ? readdirSync(join(folder, name)).map((part) => `${name}/${part}`) : [name])
        link(join(folder, inner), inner)
    }
  }
}

/** What the published entries export, by the entry. */
async function publicNames() {
  const names = new Map([['z', 'zod']])
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
      for (const name of [...values, ...typeNames])
        if (name && !names.has(name)) names.set(name, manifest.name + entry.slice(1))
    }
  }
  return names
}
