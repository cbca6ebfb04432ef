import { statusOf } from '@arq-ts/protocol/jobs'
import { readEntry } from '../recorder/records.ts'
import type { RedisContext } from '../redis/context.ts'
import type { JobLogEntry } from './job-log.ts'

/** Pace of reading without a wake-up, in ms. */
const POLL_MS = 500
/** Time for which the log of a job that has ended is read on: its last entries may be under way. */
const LAST_ENTRIES_MS = 1_500
const PAGE = 200

/** Reads a page of a job's log, the oldest first; entries that are no such thing are left out. */
export async function readJobLog(
  link: RedisContext,
  jobId: string,
  { after = '0-0', limit = PAGE }: { after?: string | undefined; limit?: number | undefined },
): Promise<JobLogEntry[]> {
  const entries = await link.recordings.entries(link.keys.obsLog(jobId), { after, limit })
  return entries.flatMap(({ id, value }) => {
    const entry = readEntry(value, { kind: 'string', atMs: 'number', jobTry: 'number' })
    return entry ? [{ ...entry, id } as JobLogEntry] : []
  })
}

/** Options of `job.events()`. */
export interface JobEventOptions {
  /** `start` (default): all entries that are kept. `now`: those from now on. */
  from?: 'start' | 'now'
  /** Id of the entry to start after: a reader continues where it ended. Wins over `from`. */
  after?: string
  /** Ends the reading. */
  signal?: AbortSignal
}

/** Entries of a job's log as they come, until the job has ended or `signal` fires. `unpack` reads the pieces of its result. */
export async function* jobEvents<Emitted>(
  link: RedisContext,
  { jobId, queueName }: { jobId: string; queueName: string },
  { after, from, signal }: JobEventOptions,
  unpack: (value: unknown) => unknown,
): AsyncGenerator<JobLogEntry<Emitted>, void, undefined> {
  let wake = () => {}
  const onAbort = () => wake()
  signal?.addEventListener('abort', onAbort)
  const stops = await Promise.all(
    [link.subscriber.listen(link.keys.logChannel(jobId), () => wake()), link.onEnd(jobId, () => wake())].map(
      (listening) => listening.catch(() => () => {}),
    ),
  )
  let endedAtMs: number | undefined
  try {
    let last = after ?? (from === 'now' ? await newestId(link, jobId) : undefined)
    while (!signal?.aborted) {
      const heard = new Promise<void>((resolve) => (wake = resolve))
      const entries = await readJobLog(link, jobId, { after: last })
      for (const entry of entries) {
        last = entry.id
        yield (entry.kind === 'chunk' ? { ...entry, value: await unpack(entry.value) } : entry) as JobLogEntry<Emitted>
        if (entry.kind === 'end') return
      }
      if (entries.length > 0) continue
      if (endedAtMs !== undefined && performance.now() - endedAtMs > LAST_ENTRIES_MS) return
      if (await hasEnded(link, jobId, queueName)) endedAtMs ??= performance.now()
      await waitFor(heard, POLL_MS)
    }
  } finally {
    signal?.removeEventListener('abort', onAbort)
    for (const stop of stops) stop()
  }
}

async function newestId(link: RedisContext, jobId: string): Promise<string | undefined> {
  const [newest] = await link.recordings.entries(link.keys.obsLog(jobId), { limit: 1 })
  return newest?.id
}

async function hasEnded(link: RedisContext, jobId: string, queueName: string): Promise<boolean> {
  await link.syncClock()
  const status = statusOf(await link.jobs.read(jobId, queueName), link.clock.now())
  return status === 'complete' || status === 'not_found'
}

async function waitFor(heard: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const pause = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))
  await Promise.race([heard, pause])
  clearTimeout(timer)
}
