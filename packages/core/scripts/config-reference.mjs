// Generates three things from the sources: a JSON schema of the configuration for editors, the table of its reference page,
// and the page of arq's names. `--check` fails unless they are up to date.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { configJsonSchema } from '@arq-ts/core/config'
import { ARQ_PARAMETERS } from '@arq-ts/core/internal'

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
/** The place in arq-ts for the parameters of each callable of arq. */
const PLACES = {
  Worker: 'options of `new Worker()`',
  create_pool: 'options of `new Client()`',
  RedisSettings: 'the option `redis`, as ioredis takes it',
  enqueue_job: 'the last argument of `client.enqueue()`',
  func: 'the argument of `defineTask()`',
  cron: 'the second argument of `cron()`, from `run_at_startup` on the last one',
  Retry: 'the argument of `new Retry()`',
  Job: 'the last argument of `client.job()`',
  'Job.result': 'the argument of `job.result()`',
  'Job.abort': 'the argument of `job.abort()`',
}
const unitOf = (arq, ours) => (ours.endsWith('Ms') && !arq.endsWith('_ms') ? ', in milliseconds' : '')
const counterpart = (arq, ours) => (typeof ours === 'string' ? `\`${ours}\`${unitOf(arq, ours)}` : `none: ${ours.gone}`)
const arqTables = Object.entries(ARQ_PARAMETERS).map(([callable, parameters]) =>
  [
    `## \`${callable}\``,
    '',
    `Here: ${PLACES[callable]}.`,
    '',
    '| arq | arq-ts, or why there is none |',
    '|---|---|',
    ...Object.entries(parameters).map(([arq, ours]) => `| \`${arq}\` | ${counterpart(arq, ours)} |`),
  ].join('\n'),
)
const arqPage = `# Names of arq

Every parameter of arq 0.28 and its name here. An option under its arq name is refused, and the message gives our name. A test
compares this page with the signatures of arq. [Differences from arq](differences-from-arq.md) lists different behaviour.

${arqTables.join('\n\n')}
`

const wanted = [
  [`${docs}arq-names.md`, arqPage],
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
  for (const [file] of stale) console.error(`${file} is not what the sources say: run \`pnpm generate\``)
  process.exitCode = stale.length === 0 ? 0 : 1
} else {
  for (const [file, content] of wanted) writeFileSync(file, content)
  console.log(`${stale.length} pages changed`)
}
