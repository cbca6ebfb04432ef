import { redisOptionsOf } from '@arq-ts/core/config'
import type { Client } from '@arq-ts/core'
import type { GlobalArgs } from '../args.ts'
import { audited } from '../audit.ts'
import { confirmed } from '../confirm.ts'
import type { BulkArgs } from '../confirm.ts'
import { CommandError, EXIT } from '../exit.ts'
import { counted, countText, instantText, preview, spanText, whenText } from '../output.ts'
import type { Column } from '../output.ts'
import { withSession } from '../session.ts'
import type { Session } from '../session.ts'
import { loadPackage } from '../load-package.ts'
import { noteUnserved } from '../unserved.ts'

/** Parts of @arq-ts/write-behind that the command uses; the CLI does not depend on it. */
interface Cache {
  entries(filter: { status?: Entry['status'] }): Promise<Entry[]>
  entry(key: string): Promise<Entry | null>
  get(key: string): Promise<unknown>
  ttl(key: string): Promise<number | null | undefined>
  stats(): Promise<Record<'dirty' | 'dead' | 'oldestMs' | 'overdueMs' | 'writes' | 'persisted' | 'failures', number>>
  flush(key: string, options: { timeoutMs: number }): Promise<void>
  close(): Promise<void>
}
interface Entry {
  key: string
  status: 'waiting' | 'overdue' | 'running' | 'dead'
  persister: string
  version: number
  bytes: number
  dueAt: Date | null
  since: Date | null
  error: string | null
}
interface WriteBehindModule {
  WriteBehind: new (options: { client: Client; redis: unknown; keyPrefix: string }) => Cache
}

const PACKAGE = '@arq-ts/write-behind'
const FLUSHES_AT_ONCE = 10

function withCache(
  args: GlobalArgs & { queue?: string | undefined },
  work: (session: Session & { cache: Cache }) => Promise<number>,
): Promise<number> {
  const inCache = async (session: Session) => {
    const { client, loaded } = session
    const { WriteBehind } = await loadPackage<WriteBehindModule>(PACKAGE, 'cache', loaded.file)
    const cache = new WriteBehind({
      client,
      redis: redisOptionsOf(loaded.config),
      keyPrefix: loaded.config.key_prefix,
    })
    try {
      return await work({ ...session, cache })
    } finally {
      await cache.close()
    }
  }
  return withSession(args, inCache, { queueName: args.queue })
}

const columns = (nowMs: number): readonly Column<Entry>[] => [
  { title: 'key', cell: ({ key }) => key, min: 12 },
  { title: 'status', cell: ({ status }) => status },
  { title: 'persister', cell: ({ persister }) => persister, min: 8, drop: 1 },
  { title: 'bytes', cell: ({ bytes }) => countText(bytes), align: 'right', drop: 2 },
  { title: 'dirty since', cell: ({ since }) => whenText(since, nowMs) },
  { title: 'due', cell: ({ dueAt }) => whenText(dueAt, nowMs) },
  { title: 'error', cell: ({ error }) => error ?? '', min: 10 },
]

/** `cache ls` */
export function list(args: GlobalArgs & { status?: Entry['status']; limit: number }): Promise<number> {
  return withCache(args, async ({ cache, nowMs, out }) => {
    const [all, stats] = await Promise.all([
      cache.entries(args.status === undefined ? {} : { status: args.status }),
      cache.stats(),
    ])
    const entries = all.slice(0, args.limit)
    const isAll = all.length === entries.length
    const incomplete = isAll ? [] : [`${entries.length} of ${countText(all.length)}; --limit shows more`]
    out.list(entries, columns(nowMs), {
      name: 'entries',
      none: 'no key waits to be persisted',
      incomplete,
      extra: stats,
    })
    if (!out.json) {
      const { dead, dirty, failures, oldestMs, persisted, writes } = stats
      out.note(
        `${counted(dirty, 'dirty key')}, ${countText(dead)} of them dead; the oldest write waits for ${spanText(oldestMs)}; ` +
          `${counted(writes, 'write')}, ${countText(persisted)} persisted, ${counted(failures, 'failure')}`,
      )
    }
    return EXIT.ok
  })
}

/** `cache show` */
export function show(args: GlobalArgs & { key: string }): Promise<number> {
  return withCache(args, async ({ cache, nowMs, out }) => {
    const { key } = args
    const [entry, value, ttlMs] = await Promise.all([cache.entry(key), cache.get(key), cache.ttl(key)])
    if (entry === null && value === undefined)
      throw new CommandError(
        `nothing is cached under '${key}', and nothing waits; arq-ts cache ls lists what does`,
        EXIT.no,
      )
    out.data({ key, value, ttlMs: ttlMs ?? null, waiting: entry }, () =>
      out.fields([
        ['key', out.colors.bold(key)],
        ['value', preview(value, 500)],
        ['expires', ttlMs === undefined ? 'not in the cache' : ttlMs === null ? 'never' : `in ${spanText(ttlMs)}`],
        ['status', entry?.status ?? 'persisted'],
        ['persister', entry?.persister ?? null],
        ['version', entry ? String(entry.version) : null],
        ['dirty since', instantText(entry?.since ?? null, nowMs)],
        ['due', instantText(entry?.dueAt ?? null, nowMs)],
        ['error', entry?.error ?? null],
      ]),
    )
    return EXIT.ok
  })
}

/** `cache flush` */
export function flush(
  args: GlobalArgs & BulkArgs & { keys?: readonly string[]; all?: boolean; queue?: string; timeout: number },
): Promise<number> {
  return withCache(args, async (session) => {
    const { cache, client, out } = session
    if (!args.all && !args.keys?.length) throw new CommandError('name the keys, or give --all')
    const keys = args.all ? (await cache.entries({})).map(({ key }) => key) : args.keys!
    const what = `have ${counted(keys.length, 'key')} persisted now`
    const go = keys.length > 0 && (args.all || args.dryRun ? await confirmed(what, args, out) : true)
    const failed: { key: string; error: string }[] = []
    const queue = go ? [...keys] : []
    const entry = { action: 'flush', kind: 'cache', names: keys, text: what }
    const flushAll = async () => {
      await Promise.all(Array.from({ length: FLUSHES_AT_ONCE }, lane))
    }
    const lane = async () => {
      for (let key = queue.shift(); key !== undefined; key = queue.shift()) {
        const at = key
        await cache
          .flush(at, { timeoutMs: args.timeout })
          .catch((error: unknown) => failed.push({ key: at, error: (error as Error).message }))
      }
    }
    if (go) {
      await noteUnserved(session, client.queueName)
      await audited(session, entry, flushAll)
    }
    const flushed = go ? keys.length - failed.length : 0
    out.data({ matching: keys.length, flushed, failed, dryRun: args.dryRun === true }, () => {
      if (keys.length === 0) out.note('no key waits to be persisted')
      else if (go) out.line(`${counted(flushed, 'key')} persisted`)
      for (const { error, key } of failed) out.note(`${key}: ${error}`)
    })
    return failed.length === 0 ? EXIT.ok : EXIT.no
  })
}
