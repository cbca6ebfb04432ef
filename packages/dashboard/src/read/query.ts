import { JOB_STATES } from '@arq-ts/core'
import { parseId } from '@arq-ts/protocol/jobs'
import type { JobStateName, ParsedQuery } from '../api/types.ts'

const CHIP = /([a-z-]+):("(?:[^"\\]|\\.)*"|\S+)|"((?:[^"\\]|\\.)*)"|(\S+)/gi
const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
/** Characters of a query at most. */
const MAX_LENGTH = 2_000

/** Reads a query: chips such as `status:failed,dead queue:mail older:10m`, with names as `showId` writes them, and words that arguments must have. */
export function parseQuery(query: string): ParsedQuery {
  const parsed: ParsedQuery = {
    statuses: [],
    functionName: null,
    queueNames: [],
    jobId: null,
    text: null,
    error: null,
    olderThanMs: null,
    problems: query.length > MAX_LENGTH ? [`The query is cut after ${MAX_LENGTH} characters.`] : [],
  }
  const words: string[] = []
  for (const [whole, name, value, quoted, word] of query.slice(0, MAX_LENGTH).matchAll(CHIP)) {
    if (name === undefined) words.push(quoted === undefined ? word! : unquoted(`"${quoted}"`))
    else if (!addChip(parsed, name.toLowerCase(), unquoted(value!))) words.push(whole)
  }
  if (words.length > 0) parsed.text = words.join(' ')
  return parsed
}

/** False where there is no such chip: then it is a word that has a colon. */
function addChip(parsed: ParsedQuery, name: string, value: string): boolean {
  switch (name) {
    case 'status':
    case 'is':
      for (const state of value.split(',')) {
        if ((JOB_STATES as readonly string[]).includes(state)) parsed.statuses.push(state as JobStateName)
        else parsed.problems.push(`"${state}" is no status; there are ${JOB_STATES.join(', ')}.`)
      }
      return true
    case 'function':
      parsed.functionName = parseId(value)
      return true
    case 'queue':
      parsed.queueNames.push(parseId(value))
      return true
    case 'id':
      parsed.jobId = parseId(value)
      return true
    case 'error':
      parsed.error = value
      return true
    case 'older': {
      const [, number, unit] = /^(\d+(?:\.\d+)?)(s|m|h|d)$/.exec(value) ?? []
      if (number === undefined) parsed.problems.push(`"${value}" is no age; write 30s, 10m, 2h or 7d.`)
      else parsed.olderThanMs = Number(number) * UNITS[unit!]!
      return true
    }
    default:
      return false
  }
}

function unquoted(text: string): string {
  return text.startsWith('"') && text.endsWith('"') && text.length > 1
    ? text.slice(1, -1).replace(/\\(.)/g, '$1')
    : text
}
