import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '../errors.ts'
import type { ConfigProblem } from '../errors.ts'
import { checkMethodOptions, methodSchemas } from '../options/arguments.ts'
import { problemsOf } from '../options/check.ts'
import { databaseOf, taskQueueSchema } from './schema.ts'
import type { TaskQueueConfig } from './schema.ts'
import { environmentLayer, fileLayer, flagLayer, valueOfText } from './sources.ts'
import type { Layer, Origin } from './sources.ts'

/** Places in which settings are looked for. */
export interface LoadOptions {
  /** A YAML, TOML or JSON file. Default: `<PREFIX>CONFIG` of the environment, else `arq-ts.yaml` (.yml, .toml, .json) in `cwd`. */
  file?: string
  /** Default: the process's. */
  env?: Readonly<Record<string, string | undefined>>
  /**
   * Prefix of names of the environment; `AI_DOCS_` reads those of the Python application. The `_` at its end may be
   * left out. Default: what `ARQ_TS_ENV_PREFIX` says, else `ARQ_TS_`.
   */
  envPrefix?: string
  /** Settings of the command line, by key; they win. */
  flags?: Readonly<Record<string, unknown>>
  /** Default: the process's. */
  cwd?: string
}

/** One setting, and where it comes from. */
export interface Setting {
  key: string
  value: unknown
  origin: Origin
}

/** Checked settings, and where each comes from. */
export interface LoadedConfig {
  config: TaskQueueConfig
  /** The file that was read, if any. */
  file: string | undefined
  /** Every setting in the order of the reference. Secrets are not masked; see `maskSetting`. */
  settings: Setting[]
  /**
   * Origin of the setting at these keys and indices, or else of what is above it: file and line, variable or flag.
   * Undefined where nobody gave it.
   */
  placeOf: (keys: readonly PropertyKey[]) => string | undefined
}

const FILES = ['arq-ts.yaml', 'arq-ts.yml', 'arq-ts.toml', 'arq-ts.json']

/**
 * Reads the `task_queue` settings: defaults, then the file, then the environment, then flags; the last wins, key by key.
 *
 * @throws ConfigError with every problem found: where, which key, what was expected, what came.
 */
export function loadConfig(options: LoadOptions = {}): LoadedConfig {
  checkMethodOptions('loadConfig', methodSchemas.loadConfig, options)
  const { env = process.env, flags = {} } = options
  const prefix = (options.envPrefix ?? (env.ARQ_TS_ENV_PREFIX || 'ARQ_TS_')).replace(/[^_]$/, '$&_')
  const file = options.file ?? (env[`${prefix}CONFIG`] || findFile(options.cwd ?? process.cwd()))
  const merged: Layer = new Map()
  const layers = [file === undefined ? undefined : fileLayer(file), environmentLayer(env, prefix), flagLayer(flags)]
  for (const layer of layers) for (const [path, entry] of layer ?? []) merged.set(path, entry)
  // A database in the URL counts, unless one is given on its own by a source that is as strong. A URL on the command line is the whole
  // address: without a database it means 0, as everywhere else.
  const url = merged.get('redis_url')
  const database = databaseOf(url?.value)
  const isWhole = database !== undefined || url?.origin.kind === 'flag'
  const given = merged.get('redis_database')
  if (url && isWhole && (!given || rank(given.origin) < rank(url.origin))) {
    merged.set('redis_database', { value: database ?? 0, isText: false, origin: url.origin })
  }

  const raw = assemble(merged)
  const placeOf = (keys: readonly PropertyKey[]) => placeIn(merged, keys)
  const result = taskQueueSchema.safeParse(raw)
  const problems: ConfigProblem[] = problemsOf(taskQueueSchema, result, raw).map(({ keys, message }) => ({
    where: placeOf(keys) ?? file ?? 'configuration',
    path: keys.join('.'),
    message,
  }))
  const queues = merged.get('queues')
  const queueName = merged.get('queue_name')
  if (queues && queueName && queues.origin.kind === queueName.origin.kind) {
    const message = 'give `queue_name` or `queues`, not both'
    problems.push({ where: queues.origin.name, path: 'queues', message })
  }
  if (!result.success || problems.length > 0) throw new ConfigError(problems)
  const config = result.data
  // Of two places the stronger says whether it is one queue or several.
  if (queues && queueName && rank(queueName.origin) > rank(queues.origin)) {
    delete config.queues
    merged.delete('queues')
  }
  return { config, file, settings: describe(config, merged), placeOf }
}

function rank(origin: Origin): number {
  return ['default', 'file', 'environment', 'flag'].indexOf(origin.kind)
}

function placeIn(layer: Layer, keys: readonly PropertyKey[]): string | undefined {
  const [key = '', inner] = keys.map(String)
  // A sibling of a missing value shows where its map is.
  const sibling = [...layer.keys()].find((path) => path.startsWith(`${key}.`))
  const given = layer.get(`${key}.${inner}`) ?? layer.get(key) ?? layer.get(sibling ?? '')
  return given?.placeOf?.(keys) ?? given?.origin.name
}

function findFile(cwd: string): string | undefined {
  const name = FILES.find((candidate) => existsSync(join(cwd, candidate)))
  return name === undefined ? undefined : cwd === process.cwd() ? name : join(cwd, name)
}

/** One object of all layers. A value from the environment is a string; where the schema wants none, it is parsed. */
function assemble(layer: Layer): Record<string, unknown> {
  const raw: Record<string, unknown> = {}
  for (const [path, { value, isText }] of layer) {
    const [key = '', ...inner] = path.split('.')
    const name = inner.join('.')
    const given = isText && typeof value === 'string' && !takesText(key, value) ? valueOfText(value) : value
    if (name === '') raw[key] = given
    else {
      const isNumber = isText && !/^(true|false)$/.test(String(value))
      raw[key] = { ...(raw[key] as object | undefined), [name]: isNumber ? value : given }
    }
  }
  return raw
}

function takesText(key: string, value: string): boolean {
  const schema = Object.hasOwn(taskQueueSchema.shape, key)
    ? taskQueueSchema.shape[key as keyof typeof taskQueueSchema.shape]
    : undefined
  return schema?.safeParse(value).success === true
}

function describe(config: TaskQueueConfig, layer: Layer): Setting[] {
  const settings: Setting[] = []
  for (const key of Object.keys(taskQueueSchema.shape) as (keyof TaskQueueConfig)[]) {
    const value = config[key]
    const own = layer.get(key)
    const nested = [...layer].filter(([path]) => path.startsWith(`${key}.`))
    if (nested.length > 0) {
      for (const [path, { origin }] of nested) {
        settings.push({ key: path, value: (value as Record<string, unknown>)[path.slice(key.length + 1)], origin })
      }
    } else settings.push({ key, value, origin: own?.origin ?? { kind: 'default', name: 'default' } })
  }
  return settings
}
