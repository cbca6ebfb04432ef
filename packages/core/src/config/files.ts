/** Reads a configuration file, and finds the lines of what stands there. */
import type * as Toml from 'smol-toml'
import type * as Yaml from 'yaml'
import type { Document, Node, Pair, YAMLMap } from 'yaml'
import { ConfigError } from '../errors.ts'
import { requireFrom } from '../require-from.ts'
import { tomlLines } from './toml-lines.ts'

const require = requireFrom(import.meta.url)
/** The parsers are loaded by who has something to parse: a command without a file does not wait for them. */
const loadYaml = () => require('yaml') as typeof Yaml
const loadToml = () => require('smol-toml') as typeof Toml

/** One value written as YAML. @throws what `yaml` throws. */
export function readYamlValue(text: string): unknown {
  return loadYaml().parse(text)
}

/** The content of a file, and the lines of its parts. */
export interface ReadFile {
  whole: unknown
  /** Line of what these keys and indices lead to; of the nearest known one above it where it is not found. */
  lineOf: (path: readonly PropertyKey[]) => number
}

/**
 * JSON is read as YAML too, which contains it. Maps may be merged by `<<`. Tags that YAML does not know are refused in
 * this section; elsewhere they are somebody else's.
 *
 * @throws ConfigError that names the line.
 */
export function readYaml(file: string, text: string, section: string): ReadFile {
  const { LineCounter, parseDocument, visit } = loadYaml()
  const counter = new LineCounter()
  const document = parseDocument(text, { lineCounter: counter, uniqueKeys: true, merge: true })
  const lineAt = (offset: number) => counter.linePos(offset).line
  const wrong = (line: number, message: string) => new ConfigError([{ where: `${file}:${line}`, path: '', message }])
  const [error] = document.errors
  if (error) throw wrong(lineAt(error.pos[0]), error.message.split('\n')[0]!.replace(/ at line.*/, ''))
  // A string that begins with ! or * is a tag or an alias to YAML. The message must not have it: it may be a password.
  const [from = 0, to = 0] = (document.get(section, true) as Node | undefined)?.range ?? []
  const warning = document.warnings.find(({ pos: [at] }) => at >= from && at < to)
  if (warning) {
    const isTag = warning.code === 'TAG_RESOLVE_FAILED'
    const message = isTag ? 'Unknown tag; put a string that begins with `!` in quotes' : 'Expected plain YAML'
    throw wrong(lineAt(warning.pos[0]), message)
  }
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document)) return
      throw wrong(
        lineAt(alias.range?.[0] ?? 0),
        'Unknown alias; name an anchor above, or put a string that begins with `*` in quotes',
      )
    },
  })
  let whole: unknown
  try {
    whole = document.toJS({ maxAliasCount: 100 })
  } catch (cause) {
    throw wrong(1, `cannot be read: ${(cause as Error).message}`)
  }
  return { whole, lineOf: (path) => lineAt(offsetOf(document, path)) }
}

/** Position of the last of these keys, or of the last one that is found. */
function offsetOf(document: Document.Parsed, path: readonly PropertyKey[]): number {
  const { isAlias, isNode, isMap, isSeq } = loadYaml()
  let offset = 0
  let at: unknown = document.contents
  for (const key of path) {
    const node = isAlias(at) ? at.resolve(document) : at
    let start: unknown
    if (isSeq(node)) start = at = node.items[Number(key)]
    else {
      const pair = isMap(node) ? pairOf(document, node, String(key)) : undefined
      start = pair?.key
      at = pair?.value
    }
    if (!isNode(start)) break
    offset = start.range?.[0] ?? offset
  }
  return offset
}

/** A map's own pair of this key, else one that is merged into it. */
function pairOf(document: Document.Parsed, map: YAMLMap, key: string): Pair | undefined {
  const { isAlias, isMap, isScalar, isSeq } = loadYaml()
  const nameOf = (pair: Pair) => (isScalar(pair.key) ? String(pair.key.value) : undefined)
  const own = map.items.find((pair) => nameOf(pair) === key)
  if (own) return own
  const merged = map.items
    .filter((pair) => MERGE.has(nameOf(pair)))
    .flatMap(({ value }) => (isSeq(value) ? value.items : [value]))
  for (const source of merged) {
    const node = isAlias(source) ? source.resolve(document) : source
    const pair = isMap(node) ? pairOf(document, node, key) : undefined
    if (pair) return pair
  }
  return undefined
}

const MERGE: ReadonlySet<string | undefined> = new Set(['<<', 'Symbol(<<)'])

/** @throws ConfigError that names the line. */
export function readToml(file: string, text: string): ReadFile {
  const { parse, TomlError } = loadToml()
  try {
    return { whole: parse(text), lineOf: tomlLines(text) }
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const message = error.message.split('\n')[0]!.replace('Invalid TOML document: ', '')
    throw new ConfigError([{ where: `${file}:${error.line}`, path: '', message }])
  }
}
