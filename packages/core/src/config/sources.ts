import { readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { ConfigError } from '../errors.ts'
import { readToml, readYaml, readYamlValue } from './files.ts'

/** Origin of a value. */
export interface Origin {
  kind: 'default' | 'file' | 'environment' | 'flag'
  /** For a person: `arq-ts.yaml:12`, `ARQ_TS_TASK_QUEUE__MAX_JOBS`, `--max-jobs`. */
  name: string
}

/** A value given in one place. */
export interface LayeredValue {
  value: unknown
  origin: Origin
  /** As the environment gives it: a string, whatever it stands for. */
  isText: boolean
  /** In a file, the place of what stands at these keys, from the section down. */
  placeOf?: (keys: readonly PropertyKey[]) => string
}

/** Values given in one place, by path (`tls.ca_file`). */
export type Layer = Map<string, LayeredValue>

/** The one section of a file that is ours. */
const SECTION = 'task_queue'
/** Keys whose own keys are layered one by one. */
const NESTED = new Set(['tls', 'sentinel'])

/** @throws ConfigError when it cannot be read, is no YAML, TOML or JSON, or has no `task_queue`. */
export function fileLayer(file: string): Layer {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (error as Error).message
    throw new ConfigError([{ where: file, path: '', message: `cannot be read: ${why}` }])
  }
  const { whole, lineOf } = extname(file) === '.toml' ? readToml(file, text) : readYaml(file, text, SECTION)
  const placeOf = (keys: readonly PropertyKey[]) => `${file}:${lineOf([SECTION, ...keys])}`
  const section = (whole as Record<string, unknown> | null)?.[SECTION]
  if (section === undefined) {
    throw new ConfigError([
      { where: file, path: SECTION, message: `has no section \`${SECTION}\`; put the settings under it` },
    ])
  }
  if (typeof section !== 'object' || section === null || Array.isArray(section)) {
    throw new ConfigError([{ where: placeOf([]), path: SECTION, message: 'Expected a map of settings' }])
  }
  const layer: Layer = new Map()
  for (const [path, value] of leaves(section as Record<string, unknown>)) {
    layer.set(path, { value, isText: false, origin: { kind: 'file', name: placeOf(path.split('.')) }, placeOf })
  }
  return layer
}

/** `<prefix>TASK_QUEUE__REDIS_URL`, and `…__TLS__CA_FILE` for what is nested. An empty variable gives nothing. */
export function environmentLayer(env: Readonly<Record<string, string | undefined>>, prefix: string): Layer {
  const start = `${prefix}TASK_QUEUE__`.toUpperCase()
  const layer: Layer = new Map()
  for (const [name, value] of Object.entries(env)) {
    if (!value || !name.toUpperCase().startsWith(start)) continue
    const path = name.slice(start.length).toLowerCase().split('__').join('.')
    layer.set(path, { value, isText: true, origin: { kind: 'environment', name } })
  }
  return layer
}

/** Flags of the command line that are not called as what they set. */
const FLAGS = new Map([
  ['redis_url', '--redis'],
  ['worker_pool_size', '--workers'],
  ['queue_name', '--queue'],
  ['queues', '--queue'],
])

/** Flags by the key they set. */
export function flagLayer(flags: Readonly<Record<string, unknown>>): Layer {
  const layer: Layer = new Map()
  for (const [path, value] of leaves(flags)) {
    if (value === undefined) continue
    const name = FLAGS.get(path) ?? `--${path.replaceAll(/[_.]/g, '-')}`
    layer.set(path, { value, isText: false, origin: { kind: 'flag', name } })
  }
  return layer
}

/** The value that a string of the environment stands for: `10`, `true`, `[a, b]`. */
export function valueOfText(text: string): unknown {
  try {
    return readYamlValue(text)
  } catch {
    return text
  }
}

function* leaves(section: Record<string, unknown>): Generator<[path: string, value: unknown]> {
  for (const [key, value] of Object.entries(section)) {
    if (NESTED.has(key) && typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [inner, leaf] of Object.entries(value)) if (leaf !== null) yield [`${key}.${inner}`, leaf]
    } else if (value !== null) yield [key, value]
  }
}
