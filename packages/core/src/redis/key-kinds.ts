import { showId } from '@arq-ts/protocol/jobs'

/** Types of the keys that are named by a job, a worker, a queue or a cron job. */
const NAMED: Readonly<Record<string, string>> = {
  'arq:in-progress': 'string',
  'arq:job': 'string',
  'arq:retry': 'string',
  'arq:result': 'string',
  'arq:trace': 'string',
  'arq:error': 'string',
  'arq:worker': 'string',
  'arq:cron': 'string',
  'arq:health-line': 'string',
  'arq:obs:cron': 'string',
  'arq:dead': 'hash',
  'arq:stats': 'hash',
  'arq:limit-running': 'zset',
  'arq:limit-offered': 'zset',
  'arq:limit-waiting': 'zset',
  'arq:waiting': 'list',
  'arq:orphans': 'string',
  'arq:limit-state': 'hash',
  'arq:unique': 'hash',
  'arq:flow': 'hash',
  'arq:flow-open': 'set',
  'arq:flow-out': 'set',
  'arq:flow-todo': 'hash',
  'arq:flow-calls': 'hash',
  'arq:flow-results': 'hash',
  'arq:schedule': 'hash',
}

/** Types of the keys that there is one of. */
const SINGLE: Readonly<Record<string, string>> = {
  'arq:abort': 'zset',
  'arq:dead': 'zset',
  'arq:workers': 'zset',
  'arq:paused': 'set',
  'arq:limits': 'hash',
  'arq:limit-watch': 'zset',
  'arq:cron-pauses': 'hash',
  'arq:held': 'hash',
  'arq:flows': 'zset',
  'arq:flow-watch': 'zset',
  'arq:flow-conductor': 'string',
  'arq:schedules': 'zset',
}

/** Types of recorded keys, by the word after `arq:obs:`. */
const RECORDED: Readonly<Record<string, string>> = {
  '1m': 'hash',
  '10m': 'hash',
  '1h': 'hash',
  depth: 'hash',
  series: 'hash',
  fp: 'hash',
  errors: 'hash',
  tries: 'list',
  tried: 'list',
  logged: 'list',
  seen: 'set',
  collector: 'string',
  log: 'stream',
  events: 'stream',
  recent: 'stream',
  audit: 'stream',
  fn: 'string',
  queues: 'string',
  noted: 'hash',
  ticked: 'hash',
  ticks: 'hash',
  flush: 'string',
  order: 'string',
  cron: 'string',
}
const RECORDED_KIND = 'arq:obs'
const RESERVED = ':reserved'
const HEALTH_CHECK = ':health-check'

/** All kinds of keys, as `kindOfKey` names them. */
export const KEY_KINDS: readonly string[] = [
  ...new Set([...Object.keys(NAMED), ...Object.keys(SINGLE)]),
  RECORDED_KIND,
  'health-check',
  'reserved',
  'queue',
]

const START = new RegExp(
  `(?:^|[}:])(?:(${[...Object.keys(NAMED), RECORDED_KIND].join('|')}):|(${Object.keys(SINGLE).join('|')})$)`,
)

/** A key without what is particular to it, `arq:retry` say: metrics must not get a series for each job. */
export function kindOfKey(key: string): string {
  const [, named, single] = START.exec(key) ?? []
  if (named !== undefined || single !== undefined) return named ?? single!
  if (key.endsWith(HEALTH_CHECK)) return 'health-check'
  return key.endsWith(RESERVED) ? 'reserved' : 'queue'
}

/** The type of value that a key of ours holds, by its name without a prefix; undefined where the name may mean anything. */
export function typeByName(name: string): string | undefined {
  const [, recorded] = /^arq:obs:([^:]+)/.exec(name) ?? []
  if (recorded !== undefined) return typeIn(RECORDED, recorded)
  const [, named] = /^(arq:[a-z-]+):/.exec(name) ?? []
  return named === undefined ? typeIn(SINGLE, name) : NAMED[named]
}

/** False for a key that arq or we keep next to the queues, under whatever prefix; any other name may be that of a queue. */
export function isQueueKey(name: string): boolean {
  return !START.test(name)
}

/** The entry of a table; a queue may be called `constructor`, as an object's own members are. */
function typeIn(table: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined
}

/** The type of value that a key of a script holds; one whose name may mean anything is a queue or its health key. */
export function typeInScript(key: string): string {
  const at = START.exec(key)
  const start = at ? at.index + at[0].indexOf('arq:') : 0
  const type = key.endsWith(HEALTH_CHECK) ? 'string' : 'zset'
  return typeByName(key.slice(start)) ?? type
}

/** The reply of Redis to a command that reads another type than its key holds, with the key, which Redis leaves out. */
export function wrongTypeAt(key: string, type?: string): string {
  const held = type === undefined ? 'another type of value' : `a ${type}`
  return `WRONGTYPE the key '${showId(key)}' holds ${held}; arq-ts doctor --fix puts it aside`
}

/** Slots of a Redis Cluster. */
export const SLOTS = 16_384

const CRC16 = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  return crc
})
const utf8 = new TextEncoder()

/** The text in the first `{…}` of a key, by which Redis Cluster places it; undefined where there is none. */
export function hashTagOf(key: string): string | undefined {
  const open = key.indexOf('{')
  const close = open === -1 ? -1 : key.indexOf('}', open + 1)
  return close > open + 1 ? key.slice(open + 1, close) : undefined
}

/** The slot that Redis Cluster gives a key: CRC16 of its hash tag, or else of the whole key. */
export function keySlot(key: string): number {
  const hashed = hashTagOf(key) ?? key
  let crc = 0
  for (let i = 0; i < hashed.length; i++) {
    const code = hashed.charCodeAt(i)
    // Nearly all ids are ASCII and need no buffer.
    if (code > 127) return slotOf(utf8.encode(hashed))
    crc = (crc << 8) ^ CRC16[((crc >> 8) ^ code) & 0xff]!
  }
  return crc & (SLOTS - 1)
}

function slotOf(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) crc = (crc << 8) ^ CRC16[((crc >> 8) ^ byte) & 0xff]!
  return crc & (SLOTS - 1)
}
