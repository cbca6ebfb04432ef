import { useState } from 'preact/hooks'
import type { CacheAnswer, CacheData, CacheEntry } from '@arq-ts/dashboard/api'
import { withQuery } from '../api/client.ts'
import { useResource } from '../api/resource.ts'
import { brief } from '../format/duration.ts'
import { bytes, capital, digits, number } from '../format/number.ts'
import { shown } from '../format/names.ts'
import { useChanged } from '../shell/toasts.tsx'
import { may } from '../state/session.ts'
import { Confirm, type ConfirmRequest } from '../ui/confirm.tsx'
import { Icon } from '../ui/icon.tsx'
import { Empty, Limits, Loaded, Page } from '../ui/parts.tsx'
import { Status, type Shape } from '../ui/status.tsx'
import { Table, type Column } from '../ui/table.tsx'
import { Deletions } from './deletions.tsx'
import { TaskRuns } from './task-runs.tsx'

/** The write-behind cache: what is not durable yet, for how long, and what failed. Scheduled deletions stand below. */
export function Cache() {
  const [cursor, setCursor] = useState<string | null>(null)
  const cache = useResource<CacheAnswer>(withQuery('cache', { cursor }), { everyMs: 5_000, keep: true })
  useChanged(cache.reload)
  return (
    <>
      <Loaded of={cache}>
        {(data) =>
          data.available ? (
            <Shown data={data} cursor={cursor} turn={setCursor} />
          ) : (
            <TaskRuns functionName="persist_cache" noun="persisting run" teach={<Teach why={data.why} />} />
          )
        }
      </Loaded>
      <Deletions />
    </>
  )
}

function Teach({ why = '' }: { why?: string }) {
  return (
    <Empty title="A write-behind cache answers at once and makes values durable a little later.">
      <p>
        {why} Write by <code>cache.writeBehind(key, value, &#123; persister &#125;)</code> of{' '}
        <code>@arq-ts/write-behind</code>; the task <code>persist_cache</code> stores the newest value of each key.
      </p>
    </Empty>
  )
}

const shapes: Record<CacheEntry['status'], [Shape, string]> = {
  waiting: ['deferred', 'waits'],
  overdue: ['warning', 'overdue'],
  running: ['running', 'is persisted'],
  dead: ['dead', 'failed for good'],
}

function title({ dead, dirty, overdueMs }: CacheData['stats']): string {
  if (dead > 0) return `${digits(dead, 'key')} failed for good and ${dead === 1 ? 'is' : 'are'} not durable.`
  if (dirty === 0) return 'Every cached value is durable.'
  const late = overdueMs !== null && overdueMs > 0 ? `; the most overdue one by ${brief(overdueMs)}` : ''
  return `${digits(dirty, 'key')} ${dirty === 1 ? 'waits' : 'wait'} to be made durable${late}.`
}

function Shown({ data, cursor, turn }: { data: CacheData; cursor: string | null; turn: (to: string | null) => void }) {
  const [asked, setAsked] = useState<ConfirmRequest | null>(null)
  const { stats, entries, nowMs } = data
  const flush = (key?: string) =>
    setAsked({
      title: key === undefined ? `Flush ${digits(stats.dirty, 'key')}?` : 'Flush the key?',
      does:
        key === undefined
          ? 'Workers persist every dirty key now, the most overdue first.'
          : `A worker persists “${shown(key)}” now.`,
      verb: key === undefined ? `Flush ${digits(stats.dirty, 'key')}` : 'Flush 1 key',
      path: 'cache/flush',
      body: key === undefined ? {} : { key },
    })
  const facts = [
    stats.oldestMs !== null && `the oldest is dirty for ${brief(stats.oldestMs)}`,
    `${number(stats.writes)} written, ${number(stats.persisted)} persisted, ${number(stats.failures)} tries failed`,
  ]
  return (
    <Page
      title={title(stats)}
      lede={`${capital(facts.filter(Boolean).join('; '))}.`}
      acts={
        may('flush') &&
        stats.dirty > 0 && (
          <button type="button" class="button" data-key="f" onClick={() => flush()}>
            <Icon name="check" /> Flush all…
          </button>
        )
      }
    >
      {entries.length === 0 ? (
        <div class="section">
          {stats.writes === 0 ? (
            <Teach />
          ) : (
            <Empty title="No key is dirty.">
              <p>A key stands here from its write until it is durable.</p>
            </Empty>
          )}
        </div>
      ) : (
        <div class="section">
          <Table
            label="Dirty keys"
            columns={columns(nowMs, flush)}
            rows={entries}
            keyOf={({ key }) => key}
            order="order"
          />
        </div>
      )}
      {(data.cursor !== null || cursor !== null) && (
        <p class="section">
          {cursor !== null && (
            <button type="button" class="link" onClick={() => turn(null)}>
              First page
            </button>
          )}{' '}
          {data.cursor !== null && (
            <button type="button" class="link" onClick={() => turn(data.cursor)}>
              Next page
            </button>
          )}
        </p>
      )}
      <Limits
        of={[
          stats.dead > 0 && 'A key that failed for good waits for a write, a flush, or the retry of its dead letter',
        ]}
      />
      {asked && <Confirm of={asked} close={() => setAsked(null)} />}
    </Page>
  )
}

const columns = (now: number, flush: (key: string) => void): (Column<CacheEntry> | false)[] => [
  {
    name: 'Key',
    names: true,
    tone: 'anywhere mono',
    by: ({ key }) => key,
    cell: ({ key }) => key,
    adjacent: ({ error }) => error && <small class="fault">{error}</small>,
  },
  { name: 'State', cell: ({ status }) => <Status shape={shapes[status][0]}>{shapes[status][1]}</Status> },
  { name: 'Persister', hide: 'wide', tone: 'mono fade', cell: ({ persister }) => persister },
  {
    name: 'Size',
    number: true,
    hide: 'minor',
    tone: 'fade',
    by: (entry) => entry.bytes,
    cell: (entry) => bytes(entry.bytes),
  },
  {
    name: 'Dirty for',
    number: true,
    by: ({ sinceMs }) => (sinceMs === null ? null : now - sinceMs),
    cell: ({ sinceMs }) => (sinceMs === null ? '–' : brief(now - sinceMs)),
  },
  {
    name: 'Due',
    number: true,
    hide: 'wide',
    tone: 'fade',
    by: ({ dueMs }) => dueMs,
    cell: ({ dueMs }) =>
      dueMs === null ? '–' : dueMs > now ? `in ${brief(dueMs - now)}` : `${brief(now - dueMs)} ago`,
  },
  may('flush') && {
    name: 'Act',
    silent: true,
    number: true,
    cell: ({ key }) => (
      <button type="button" class="link" onClick={() => flush(key)}>
        Flush…
      </button>
    ),
  },
]
