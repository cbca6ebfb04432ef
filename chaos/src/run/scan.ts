import { closeSync, openSync, writeSync } from 'node:fs'
import type { Redis } from 'ioredis'
import { Book } from '../judge/book.ts'
import { readEntry } from '../judge/entries.ts'
import { failedOver } from '../judge/explain.ts'
import { classifyKey } from '../judge/keys.ts'
import type { KeyFacts } from '../judge/keys.ts'
import { readResult } from '../judge/remains.ts'
import type { Remains } from '../judge/remains.ts'
import { LEDGER } from '../processes/ledger-client.ts'

const PAGE = 2_000

/** Findings of the scan after the fleet stopped. */
export interface Scan {
  remains: Remains
  /** Keys with a reason to be there, by reason. */
  kept: Record<string, number>
  /** Keys without one. */
  odd: { name: string; fault: string }[]
}

/** Reads the whole ledger, and copies it as JSON lines into a file where one is named. */
export async function readLedger(redis: Redis, copyTo?: string): Promise<Book> {
  const book = new Book()
  const file = copyTo === undefined ? undefined : openSync(copyTo, 'w')
  let from = '-'
  for (;;) {
    const page = await redis.xrange(LEDGER, from, '+', 'COUNT', PAGE)
    for (const [id, fields] of page) {
      const entry = readEntry(id, fields)
      if (!entry) continue
      book.add(entry)
      if (file !== undefined) writeSync(file, `${JSON.stringify(entry)}\n`)
    }
    if (page.length < PAGE) break
    from = `(${page.at(-1)![0]}`
  }
  if (file !== undefined) closeSync(file)
  return book
}

/** Looks at every key, by its name after the prefix. */
export async function scanKeys(
  redis: Redis,
  prefix: string,
  queues: readonly string[],
  book: Pick<Book, 'aborts' | 'disturbances' | 'stories' | 'unrun'>,
): Promise<Scan> {
  const bare = (name: string) => (name.startsWith(prefix) ? name.slice(prefix.length) : name)
  const [seconds] = await redis.time()
  const remains: Remains = {
    queues: new Map(),
    jobs: new Set(),
    inProgress: new Map(),
    results: new Map(),
    deadLetters: new Set(),
    nowMs: Number(seconds) * 1000,
  }
  for (const queue of queues) remains.queues.set(queue, await sortedSet(redis, prefix + queue))
  remains.deadLetters = new Set((await sortedSet(redis, `${prefix}arq:dead`)).keys())
  const context = {
    queues,
    queued: new Set([...remains.queues.values()].flatMap((members) => [...members.keys()])),
    aborted: book.aborts,
    failedOver: failedOver(book),
    dead: remains.deadLetters,
    nowMs: remains.nowMs,
  }
  const scan: Scan = { remains, kept: {}, odd: [] }
  let cursor = '0'
  do {
    const [next, names] = await redis.scan(cursor, 'COUNT', PAGE)
    cursor = next
    for (const key of await factsOf(redis, names, `${prefix}arq:in-progress:`)) {
      const verdict = classifyKey({ ...key, name: bare(key.name) }, context)
      if (verdict.ok) scan.kept[verdict.reason] = (scan.kept[verdict.reason] ?? 0) + 1
      else scan.odd.push({ name: key.name, fault: verdict.fault })
    }
    await readValues(redis, prefix, names, remains)
  } while (cursor !== '0')
  return scan
}

async function sortedSet(redis: Redis, key: string): Promise<Map<string, number>> {
  const flat = await redis.zrange(key, '0', '-1', 'WITHSCORES')
  const members = new Map<string, number>()
  for (let i = 0; i < flat.length; i += 2) members.set(flat[i]!, Number(flat[i + 1]))
  return members
}

async function factsOf(redis: Redis, names: readonly string[], holders: string): Promise<KeyFacts[]> {
  const pipeline = redis.pipeline()
  for (const name of names) pipeline.type(name).pttl(name)
  const replies = (await pipeline.exec()) ?? []
  const keys: KeyFacts[] = []
  for (const [i, name] of names.entries()) {
    const type = String(replies[2 * i]![1])
    if (type === 'none') continue // it lapsed meanwhile
    const ttlMs = Number(replies[2 * i + 1]![1])
    const isHolder = type === 'string' && name.startsWith(holders)
    keys.push({
      name,
      type,
      ttlMs,
      ...(isHolder ? { holder: String(await redis.get(name)) } : {}),
      ...(type === 'zset' ? { members: await sortedSet(redis, name) } : {}),
    })
  }
  return keys
}

async function readValues(redis: Redis, prefix: string, names: readonly string[], remains: Remains): Promise<void> {
  const idsOf = (kind: string) =>
    names.filter((name) => name.startsWith(prefix + kind)).map((name) => name.slice(prefix.length + kind.length))
  for (const id of idsOf('arq:job:')) remains.jobs.add(id)
  const held = idsOf('arq:in-progress:')
  const ended = idsOf('arq:result:')
  const pipeline = redis.pipeline()
  for (const id of held) pipeline.get(`${prefix}arq:in-progress:${id}`)
  for (const id of ended) pipeline.getBuffer(`${prefix}arq:result:${id}`).pttl(`${prefix}arq:result:${id}`)
  const replies = (await pipeline.exec()) ?? []
  for (const [i, id] of held.entries()) {
    const holder = replies[i]![1]
    if (holder !== null) remains.inProgress.set(id, String(holder))
  }
  for (const [i, id] of ended.entries()) {
    const bytes = replies[held.length + 2 * i]![1] as Buffer | null
    const ttlMs = Number(replies[held.length + 2 * i + 1]![1])
    if (bytes) remains.results.set(id, readResult(bytes, ttlMs))
  }
}
