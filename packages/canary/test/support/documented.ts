import { readFileSync } from 'node:fs'

const page = readFileSync(new URL('../../../../docs/reference/command-json.md', import.meta.url), 'utf8')
const BASE: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
  null: (value) => value === null,
  time: (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value),
  any: () => true,
}
/** Shapes by the heading above them: a verb such as `arq-ts cache ls`, or a name such as `Entry`. */
const shapes = new Map(
  [...page.matchAll(/^### `([^`]+)`\n(?:(?!^#)[^])*?^```json\n([^]*?)^```/gm)].map(([, name, json]) => [
    name!,
    JSON.parse(json!) as unknown,
  ]),
)

/** The verbs of the page, such as `canary ls`. */
export const documentedVerbs = [...shapes.keys()].flatMap((name) => /^arq-ts (.+)$/.exec(name)?.[1] ?? [])

/** Differences between an answer and its documented shape, one per line. */
export function differences(name: string, answer: unknown): string[] {
  if (!shapes.has(name)) return [`${name} is not documented`]
  return compare(shapes.get(name), answer, name)
}

function compare(shape: unknown, value: unknown, at: string): string[] {
  if (typeof shape === 'string') return fitsOne(shape, value, at)
  if (Array.isArray(shape)) {
    if (!Array.isArray(value)) return [`${at}: expected an array, got ${JSON.stringify(value)}`]
    return value.flatMap((each, i) => compare(shape[0], each, `${at}.${i}`))
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return [`${at}: expected an object, got ${JSON.stringify(value)}`]
  const wanted = new Map(Object.entries(shape as object).map(([key, each]) => [key.replace(/\?$/, ''), { key, each }]))
  const rest = wanted.get('*')
  const missing = [...wanted].filter(([name, { key }]) => name !== '*' && !key.endsWith('?') && !(name in value))
  return [
    ...missing.map(([name]) => `${at}: lacks ${name}`),
    ...Object.entries(value).flatMap(([name, each]) => {
      const known = wanted.get(name) ?? rest
      return known ? compare(known.each, each, `${at}.${name}`) : [`${at}: has ${name}, which is not documented`]
    }),
  ]
}

function fitsOne(text: string, value: unknown, at: string): string[] {
  const findings = text.split(' | ').map((type): string[] => {
    if (type.startsWith("'")) return value === type.slice(1, -1) ? [] : [`is not ${type}`]
    const isBase = BASE[type]
    if (isBase) return isBase(value) ? [] : [`${at}: expected ${text}, got ${JSON.stringify(value)}`]
    return differences(type, value).map((line) => line.replace(type, at))
  })
  if (findings.some((lines) => lines.length === 0)) return []
  return findings.length === 1
    ? findings[0]!
    : [`${at}: expected ${text}, got ${JSON.stringify(value)}`, ...findings.flat()]
}
