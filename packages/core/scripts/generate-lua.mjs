// Turns src/redis/lua/*.lua into src/redis/scripts.generated.ts, with the digest EVALSHA asks for.
// `--check` says whether the committed module is the one the sources give.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

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
    const source = withoutComments(readFileSync(folder + file, 'utf8'))
    if (/[`\\]|\$\{/.test(source))
      throw new Error(`${file}: backticks, backslashes and \${ need escaping here; write it without`)
    return { name: camelCase(file.slice(0, -4)), source, sha: createHash('sha1').update(source).digest('hex') }
  })

const module = `// Generated from lua/*.lua by \`pnpm generate\`; do not edit.

export const luaSources = {
${scripts.map(({ name, source }) => `  ${name}: \`${source}\`,`).join('\n')}
} as const

export const luaShas = {
${scripts.map(({ name, sha }) => `  ${name}: '${sha}',`).join('\n')}
} as const
`

if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== module) {
    console.error('scripts.generated.ts is not what lua/*.lua give: run `pnpm generate` and commit the result')
    process.exit(1)
  }
} else {
  writeFileSync(target, module)
  console.log(`${scripts.length} scripts written`)
}
