import { useState } from 'preact/hooks'
import type { AuditList, AuditRow } from '@arq-ts/dashboard/api'
import { get, withQuery } from '../api/client.ts'
import { useResource } from '../api/resource.ts'
import { capital, count, list, number } from '../format/number.ts'
import { full, moment } from '../format/time.ts'
import { redisNow } from '../api/stream.ts'
import { sayFailure } from '../shell/toasts.tsx'
import { Empty, Loaded, Page } from '../ui/parts.tsx'
import { Table, type Column } from '../ui/table.tsx'

/** Changes that people made by the dashboard, written before each act. */
export function Audit() {
  const audit = useResource<AuditList>('audit?limit=100', { everyMs: 15_000 })
  const [older, setOlder] = useState<(AuditList & { available: true })[]>([])
  return (
    <Loaded of={audit}>
      {(data) => {
        if (!data.available) {
          return (
            <Page title="Nobody keeps an audit log here.">
              <div class="section">
                <Empty title="Acts are not written down.">
                  <p>{data.why}</p>
                </Empty>
              </div>
            </Page>
          )
        }
        const entries = [
          ...new Map([data, ...older].flatMap((page) => page.entries).map((entry) => [entry.id, entry])).values(),
        ]
        const cursor = (older.at(-1) ?? data).cursor
        const users = [...new Set(entries.map(({ user }) => user))]
        return (
          <Page
            title={
              entries.length === 0
                ? 'Nobody has changed anything.'
                : `${capital(count(entries.length, 'change'))}${cursor ? ' and more' : ''}, by ${list(users)}.`
            }
            lede="Each entry was written before its act, so that an act without an entry cannot be."
          >
            {entries.length === 0 ? (
              <div class="section">
                <Empty title="Acts of the dashboard stand here.">
                  <p>
                    Retries, aborts, removals, pauses and repairs, with the person who did them. The newest 10,000 are
                    kept.
                  </p>
                </Empty>
              </div>
            ) : (
              <div class="section">
                <Entries entries={entries} />
              </div>
            )}
            {cursor && (
              <p class="section">
                <button
                  type="button"
                  class="link"
                  onClick={() =>
                    get<AuditList>(withQuery('audit', { limit: 100, after: cursor })).then(
                      (page) => page.available && setOlder((all) => [...all, page]),
                      sayFailure,
                    )
                  }
                >
                  Load older entries
                </button>
              </p>
            )}
          </Page>
        )
      }}
    </Loaded>
  )
}

function Entries({ entries }: { entries: AuditRow[] }) {
  return <Table label="Changes" columns={columns(redisNow())} rows={entries} keyOf={({ id }) => id} order="order" />
}

const columns = (now: number): Column<AuditRow>[] => [
  {
    name: 'Time',
    tone: 'num name muted',
    title: ({ atMs }) => full(atMs),
    by: ({ atMs }) => atMs,
    cell: ({ atMs }) => moment(atMs, now),
  },
  { name: 'Who', tone: 'name', by: ({ user }) => user, cell: ({ user }) => user },
  { name: 'Act', tone: 'strong name', by: ({ action }) => action, cell: ({ action }) => action },
  { name: 'On', tone: 'mono anywhere', by: ({ target }) => target, cell: ({ target }) => target },
  { name: 'Count', number: true, tone: 'fade', by: ({ count }) => count, cell: ({ count }) => number(count) },
  { name: 'Detail', hide: 'wide', tone: 'clip muted', title: ({ detail }) => detail, cell: ({ detail }) => detail },
]
