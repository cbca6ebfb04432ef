/** Traces of a run, without the parts that differ between two runs of one worker: times, random ids, durations. */

import type { LogRecord } from './workers.ts'

/** A key as the onlooker (python/onlooker.py) describes it. */
export interface SeenKey {
  type: string
  ttlMs: number
  content: unknown
}

/** A log line without times: `WARNING job a1 expired`. */
export function normalLine({ level, message, hasError, extra }: LogRecord): string {
  const text = message
    .replace(/^ *\d+\.\d\ds(?= )/, (duration) => (duration.length >= 7 ? '  0.00s' : duration))
    // A worker that has just started, or a busy machine, is late by a second or two.
    .replace(/ delayed=\d+\.\d\ds/, (delay) => (Number.parseFloat(delay.slice(9)) > 60 ? ' delayed=60s…' : ''))
    .replace(/\b\d{13}\b/g, '<ms>')
    .replace(/\b[0-9a-f]{32}\b/g, '<id>')
    .replace(/: [A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d j_/, ': <time> j_')
    .replace(/^(?:redis|valkey)_version=\S+ mem_usage=\S+ clients_connected=\d+ db_keys=\d+$/, 'redis_version=<…>')
  const suffix = extra === undefined ? '' : ` extra=${JSON.stringify(extra)}`
  return `${level} ${text}${hasError ? ' (with traceback)' : ''}${suffix}`
}

/** A key's name without what is different in each run. */
export function normalName(name: string): string {
  return name
    .replace(/^(arq:worker:).*/, '$1<worker>')
    .replace(/^(arq:obs:).*/, '$1<recorded>')
    .replace(/\b\d{13}\b/g, '<ms>')
}

/** Normal form of a key: its type and lifetime under '', and each part of its content. */
export function normalKey(name: string, key: SeenKey, seenAtMs: number): Map<string, string> {
  // The recorder's keys depend on the minute; docs/guides/recorder.md has them.
  if (name.startsWith('arq:obs:')) return new Map([['', 'recorded']])
  const seen = new Map([['', `${key.type}, ${lifetime(key.ttlMs)}`]])
  const { content } = key
  if (isPayload(content)) {
    seen.set(' codec', content.codec)
    for (const [field, value] of Object.entries(content.fields)) {
      seen.set(` ${field}`, ['et', 'st', 'ft'].includes(field) ? 'unix ms' : value)
    }
  } else if (key.type === 'zset') {
    for (const [member, score] of Object.entries(content as Record<string, number>)) {
      seen.set(` ${normalText(member)}`, moment(score, seenAtMs))
    }
  } else if (content !== null && typeof content === 'object') {
    for (const [field, value] of Object.entries(content)) seen.set(` ${field}`, normalText(String(value)))
  } else {
    // The record of a worker has a page of its own, docs/reference/wire-protocol.md.
    seen.set(' =', name.startsWith('arq:worker:') ? 'JSON' : normalText(String(content)))
  }
  return seen
}

function isPayload(content: unknown): content is { codec: string; fields: Record<string, string> } {
  return typeof content === 'object' && content !== null && 'codec' in content
}

function normalText(text: string): string {
  return text
    .replace(/\b\d{13}\b/g, '<ms>')
    .replace(/^[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d (?=j_)/, '<time> ')
    .replace(/^[\w.-]+:\d+:[0-9a-f]{8}\b.*$/, '<token>')
}

/** Lifetimes that arq and we give to keys, in seconds. */
const LIFETIMES: readonly (readonly [string, number])[] = [
  ['30 s', 30],
  ['60 s', 60],
  ['310 s', 310],
  ['1 h', 3_600],
  ['86,400 s', 86_400],
  ['88,400 s', 88_400],
  ['7 days', 7 * 86_400],
]

/** The nearest of them. */
function lifetime(ttlMs: number): string {
  if (ttlMs < 0) return 'kept for ever'
  const far = ([, seconds]: readonly [string, number]) => Math.abs(Math.log(ttlMs / 1000 / seconds))
  return LIFETIMES.reduce((best, each) => (far(each) < far(best) ? each : best))[0]
}

/** A score, which is a due time. */
function moment(score: number, seenAtMs: number): string {
  if (score < seenAtMs - 86_400_000) return String(score)
  return score <= seenAtMs ? 'past' : 'future'
}
