import { readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { parse as parseToml, TomlError } from 'smol-toml'
import { isMap, isScalar, LineCounter, parse as parseYaml, parseDocument } from 'yaml'
import { ConfigError } from '../errors.ts'

/** Where a value was given. */
export interface Origin {
  kind: 'default' | 'file' | 'environment' | 'flag'
  /** For a person: `arq-ts.yaml:12`, `ARQ_TS_TASK_QUEUE__MAX_JOBS`, `--max-jobs`. */
  name: string
}

/** Values given in one place, by path (`tls.ca_file`), each with where exactly. `text`: as the environment gives it. */
export type Layer = Map<string, { value: unknown; origin: Origin; isText: boolean }>

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
  const { section, lineOf } = extname(file) === '.toml' ? readToml(file, text) : readYaml(file, text)
  if (section === undefined) {
    throw new ConfigError([
      { where: file, path: SECTION, message: `has no section \`${SECTION}\`; put the settings under it` },
    ])
  }
  if (typeof section !== 'object' || section === null || Array.isArray(section)) {
    throw new ConfigError([{ where: `${file}:${lineOf([])}`, path: SECTION, message: 'Expected a map of settings' }])
  }
  const layer: Layer = new Map()
  for (const [path, value] of leaves(section as Record<string, unknown>)) {
    layer.set(path, { value, isText: false, origin: { kind: 'file', name: `${file}:${lineOf(path.split('.'))}` } })
  }
  return layer
}

/** `<prefix>TASK_QUEUE__REDIS_URL`, and `…__TLS__CA_FILE` for what is nested. */
export function environmentLayer(env: Readonly<Record<string, string | undefined>>, prefix: string): Layer {
  const start = `${prefix}TASK_QUEUE__`.toUpperCase()
  const layer: Layer = new Map()
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || !name.toUpperCase().startsWith(start)) continue
    const path = name.slice(start.length).toLowerCase().split('__').join('.')
    layer.set(path, { value, isText: true, origin: { kind: 'environment', name } })
  }
  return layer
}

/** Flags by the key they set. */
export function flagLayer(flags: Readonly<Record<string, unknown>>): Layer {
  const layer: Layer = new Map()
  for (const [path, value] of leaves(flags)) {
    if (value === undefined) continue
    const name = path === 'redis_url' ? '--redis' : `--${path.replaceAll(/[_.]/g, '-')}`
    layer.set(path, { value, isText: false, origin: { kind: 'flag', name } })
  }
  return layer
}

/** A text of the environment as the value it stands for: `10`, `true`, `[a, b]`. */
export function valueOfText(text: string): unknown {
  try {
    return parseYaml(text)
  } catch {
    return text
  }
}

function* leaves(section: Record<string, unknown>): Generator<[path: string, value: unknown]> {
  for (const [key, value] of Object.entries(section)) {
    if (NESTED.has(key) && typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [inner, leaf] of Object.entries(value)) yield [`${key}.${inner}`, leaf]
    } else if (value !== null) yield [key, value]
  }
}

interface ReadFile {
  section: unknown
  /** Line of a key below the section; of the nearest known one above it where it is not found. */
  lineOf: (path: readonly string[]) => number
}

/** JSON is read as YAML too, which contains it. */
function readYaml(file: string, text: string): ReadFile {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true })
  const [error] = document.errors
  if (error) {
    const { line } = lines.linePos(error.pos[0])
    throw new ConfigError([
      { where: `${file}:${line}`, path: '', message: error.message.split('\n')[0]!.replace(/ at line.*/, '') },
    ])
  }
  const lineOf = (path: readonly string[]) => {
    let line = 1
    let at: unknown = document.contents
    for (const key of [SECTION, ...path]) {
      if (!isMap(at)) break
      const pair = at.items.find((item) => isScalar(item.key) && item.key.value === key)
      if (!pair) break
      const start = isScalar(pair.key) ? pair.key.range?.[0] : undefined
      if (start !== undefined) line = lines.linePos(start).line
      at = pair.value
    }
    return line
  }
  const whole = document.toJS({ maxAliasCount: 100 }) as Record<string, unknown> | null
  return { section: whole?.[SECTION], lineOf }
}

function readToml(file: string, text: string): ReadFile {
  let whole: Record<string, unknown>
  try {
    whole = parseToml(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const message = error.message.split('\n')[0]!.replace('Invalid TOML document: ', '')
    throw new ConfigError([{ where: `${file}:${error.line}`, path: '', message }])
  }
  const lines = text.split('\n')
  // TOML's parser tells no positions: the first line that sets the key, below the header of its table.
  const lineOf = (path: readonly string[]) => {
    const key = path.at(-1)
    const table = [SECTION, ...path.slice(0, -1)].join('.')
    const header = lines.findIndex((line) => line.replaceAll(/\s/g, '').startsWith(`[${table}]`))
    if (key === undefined) return header + 1
    const at = lines.findIndex(
      (line, i) => i >= header && new RegExp(`^\\s*["']?${escapeRegExp(key)}["']?\\s*=`).test(line),
    )
    return (at === -1 ? header : at) + 1
  }
  return { section: whole[SECTION], lineOf }
}

function escapeRegExp(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
