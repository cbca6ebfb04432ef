/** Reads what a zod schema reports as issues of ours. Schemas are read structurally: they belong to the caller's zod. */

import type { z } from 'zod'
import type { Issue } from './field.ts'

type ZodIssue = z.core.$ZodIssue

/** What is wrong with `value` by a zod schema; `known` names of an object are read from the schema. */
export function issuesOf(schema: z.core.$ZodType, error: { issues: readonly ZodIssue[] }): Issue[] {
  return error.issues.flatMap(decided).flatMap((issue): Issue[] => {
    if (issue.code !== 'unrecognized_keys') return [valueIssue(issue)]
    const known = (issue as { params?: { known?: string[] } }).params?.known ?? namesAt(schema, issue.path)
    return issue.keys.map((key) => ({ kind: 'unknown', keys: [...issue.path, key], known }))
  })
}

function valueIssue(issue: ZodIssue): Issue {
  const isNumeric = issue.code === 'invalid_type' && (issue.expected === 'number' || issue.expected === 'int')
  const wants = isNumeric ? 'number' : issue.code === 'invalid_type' ? issue.expected : undefined
  return { kind: 'value', keys: issue.path, expected: expectation(issue), isOfType: false, wants }
}

/** Where a value has the type of one alternative only, that alternative says what is wrong. */
function decided(issue: ZodIssue): ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue]
  const [fitting, ...others] = issue.errors.filter(
    (issues) => !issues.some(({ code, path }) => path.length === 0 && TYPE_ISSUES.has(code)),
  )
  if (!fitting || others.length > 0) return [issue]
  return fitting.flatMap((inner) => decided({ ...inner, path: [...issue.path, ...inner.path] }))
}

const TYPE_ISSUES: ReadonlySet<string | undefined> = new Set(['invalid_type', 'invalid_value', 'custom'])

function expectation(issue: ZodIssue): string {
  switch (issue.code) {
    case 'too_small':
      return issue.origin === 'number'
        ? `${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}`
        : 'not empty'
    case 'too_big':
      return `at most ${issue.maximum}`
    case 'invalid_type':
      if (issue.message.startsWith('Expected ')) return issue.message.slice('Expected '.length)
      return `${/^[aeiou]/.test(issue.expected) ? 'an' : 'a'} ${issue.expected}`
    case 'invalid_value':
      return issue.values.map((value) => (typeof value === 'string' ? `'${value}'` : String(value))).join(' or ')
    case 'invalid_union': {
      if (issue.message.startsWith('Expected ')) return issue.message.slice('Expected '.length)
      const texts = issue.errors.flatMap((issues) => issues.slice(0, 1).map(expectation))
      return [...new Set(texts)].join(' or ')
    }
    default:
      return issue.message.replace(/^Expected /, '')
  }
}

/** The parts of a definition that lead from an object to what is in it. */
interface Definition {
  readonly type: string
  readonly innerType?: z.core.$ZodType
  readonly in?: z.core.$ZodType
  readonly options?: readonly z.core.$ZodType[]
  readonly element?: z.core.$ZodType
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>
}

/** The names of the object at this place of a schema. */
function namesAt(schema: z.core.$ZodType | undefined, path: readonly PropertyKey[]): string[] {
  const { type, innerType, in: input, options, element, shape } = (schema?._zod.def ?? { type: '' }) as Definition
  if (['optional', 'default', 'prefault', 'nullable', 'readonly'].includes(type)) return namesAt(innerType, path)
  if (type === 'pipe') return namesAt(input, path)
  if (type === 'union') return (options ?? []).flatMap((option) => namesAt(option, path))
  const [key, ...rest] = path
  if (type === 'array') return namesAt(element, rest)
  if (type !== 'object' || !shape) return []
  return key === undefined ? Object.keys(shape) : namesAt(shape[String(key)], rest)
}
