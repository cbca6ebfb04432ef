// Writes what the schema of the configuration says: a JSON schema for editors, and the table of the reference page.
// `--check` says whether both are up to date.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { configJsonSchema } from '@arq-ts/core/config'

const docs = fileURLToPath(new URL('../../../docs/reference/', import.meta.url))
const schema = configJsonSchema()
const { properties } = schema.properties.task_queue

const typeOf = ({ type, enum: values, anyOf, properties: keys }) => {
  if (values) return values.map((value) => `\`${value}\``).join(', ')
  if (keys)
    return Object.keys(keys)
      .map((key) => `\`${key}\``)
      .join(', ')
  if (anyOf) return 'list, or text'
  const types = [type].flat()
  if (types.includes('number') && types.includes('string')) return 'seconds'
  return types.join(' or ')
}
const rows = Object.entries(properties).map(([key, property]) => {
  const fallback = property.default === undefined ? '' : `\`${JSON.stringify(property.default)}\``
  return `| \`${key}\` | ${typeOf(property)} | ${fallback} | ${property.description ?? ''} |`
})
const table = ['| key | value | default | |', '|---|---|---|---|', ...rows].join('\n')

const page = `${docs}configuration.md`
const text = readFileSync(page, 'utf8').replace(
  /<!-- keys -->[^]*<!-- \/keys -->/,
  () => `<!-- keys -->\n\n${table}\n\n<!-- /keys -->`,
)
const wanted = [
  [`${docs}task-queue.schema.json`, `${JSON.stringify(schema, null, 2)}\n`],
  [page, text],
]
const stale = wanted.filter(([file, content]) => {
  try {
    return readFileSync(file, 'utf8') !== content
  } catch {
    return true
  }
})
if (process.argv.includes('--check')) {
  for (const [file] of stale) console.error(`${file} is not what the schema says: run \`pnpm generate\``)
  process.exitCode = stale.length === 0 ? 0 : 1
} else {
  for (const [file, content] of wanted) writeFileSync(file, content)
  console.log(`${stale.length} pages changed`)
}
