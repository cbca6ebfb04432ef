/** Python's repr of a call, laid out to be read. Pure. */

import { shown } from './names.ts'

/** Top-level parts of a bracketed repr: "('a', [1, 2])" gives "'a'" and "[1, 2]". Null where it is none or was cut. */
export function parts(repr: string): string[] | null {
  const text = repr.trim()
  const close: Record<string, string> = { '(': ')', '[': ']', '{': '}' }
  if (text.length < 2 || close[text[0]!] !== text.at(-1)) return null
  const inner = text.slice(1, -1)
  const found: string[] = []
  let depth = 0
  let quote = ''
  let from = 0
  for (let i = 0; i < inner.length; i++) {
    const letter = inner[i]!
    if (quote) {
      if (letter === '\\') i++
      else if (letter === quote) quote = ''
    } else if (letter === "'" || letter === '"') quote = letter
    else if ('([{<'.includes(letter)) depth++
    else if (')]}>'.includes(letter)) depth--
    else if (letter === ',' && depth === 0) {
      found.push(inner.slice(from, i).trim())
      from = i + 1
    }
  }
  if (depth !== 0 || quote) return null
  const last = inner.slice(from).trim()
  return last ? [...found, last] : found
}

/** The lines of a call: one argument each, keywords as `name=value`. */
export function callLines(functionName: string, args: string, kwargs: string): string[] {
  const name = shown(functionName)
  const positional = parts(args)
  const named = parts(kwargs)?.map(keyword)
  const all = [
    ...(positional ?? (args ? [`*${args}`] : [])),
    ...(named && !named.includes(null) ? (named as string[]) : kwargs ? [`**${kwargs}`] : []),
  ]
  if (all.length === 0) return [`${name}()`]
  if (all.length === 1 && all[0]!.length + name.length < 60) return [`${name}(${all[0]})`]
  return [`${name}(`, ...all.map((argument) => `    ${argument},`), ')']
}

/** "'template': 'welcome'" or "\"template\": 1" as "template=…". */
function keyword(item: string): string | null {
  const match = /^(?:'([A-Za-z_]\w*)'|"([A-Za-z_]\w*)")\s*:\s*([^]*)$/.exec(item)
  return match ? `${match[1] ?? match[2]}=${match[3]}` : null
}

/** A piece of code and its class: a string, a number, or plain. */
export interface Token {
  text: string
  kind: 'string' | 'number' | 'plain'
}

/** Strings and numbers of a line, separated for their color. */
export function tokens(line: string): Token[] {
  const found: Token[] = []
  let from = 0
  for (const match of line.matchAll(
    /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|(?<![\w.])-?\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?\b/gi,
  )) {
    if (match.index > from) found.push({ text: line.slice(from, match.index), kind: 'plain' })
    found.push({ text: match[0], kind: /^['"]/.test(match[0]) ? 'string' : 'number' })
    from = match.index + match[0].length
  }
  if (from < line.length) found.push({ text: line.slice(from), kind: 'plain' })
  return found
}
