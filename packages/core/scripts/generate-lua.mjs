// Turns src/redis/lua/*.lua into src/redis/scripts.generated.ts, with the digest EVALSHA asks for.
// `--check` says whether the committed module is the one the sources give. A script that takes other keys or arguments
// than before is refused, unless `--changed=<name>,…` names it: its callers must have changed with it.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { refuseChanged, signatureOf, signaturesIn } from './lua-signatures.mjs'

const folder = fileURLToPath(new URL('../src/redis/lua/', import.meta.url))
const target = fileURLToPath(new URL('../src/redis/scripts.generated.ts', import.meta.url))

const camelCase = (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase())
/** The header is for readers of the source; the server needs the code only. */
const withoutComments = (lua) =>
  lua
    .split('\n')
    .filter((line) => !line.startsWith('--'))
    .join('\n')
    .trim()

const scripts = readdirSync(folder)
  .filter((file) => file.endsWith('.lua'))
  .sort()
  .map((file) => {
    const lua = readFileSync(folder + file, 'utf8')
    const source = withoutComments(lua)
    if (/[`\\]|\$\{/.test(source))
      throw new Error(`${file}: backticks, backslashes and \${ need escaping here; write it without`)
    const sha = createHash('sha1').update(source).digest('hex')
    return { name: camelCase(file.slice(0, -4)), source, sha, signature: signatureOf(file, lua) }
  })

const signatures = new Map(scripts.map(({ name, signature }) => [name, signature]))
if (signatures.size < scripts.length) throw new Error('two files of lua/ give scripts of one name')

const module = `// Generated from lua/*.lua by \`pnpm generate\`; do not edit. Arguments of each script:
${scripts.map(({ name, signature }) => `// ${name}: ${signature}`).join('\n')}

export const luaSources = {
${scripts.map(({ name, source }) => `  ${name}: \`${source}\`,`).join('\n')}
} as const

export const luaShas = {
${scripts.map(({ name, sha }) => `  ${name}: '${sha}',`).join('\n')}
} as const
`

const committed = existsSync(target) ? readFileSync(target, 'utf8') : ''
if (process.argv.includes('--check')) {
  if (committed !== module) {
    console.error('scripts.generated.ts is not what lua/*.lua give: run `pnpm generate` and commit the result')
    process.exit(1)
  }
} else {
  const changed = process.argv.find((arg) => arg.startsWith('--changed='))?.slice('--changed='.length) ?? ''
  refuseChanged(signaturesIn(committed), signatures, changed.split(','))
  writeFileSync(target, module)
  console.log(`${scripts.length} scripts written`)
}
