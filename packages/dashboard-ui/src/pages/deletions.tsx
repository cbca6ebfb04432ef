import { useState } from 'preact/hooks'
import type { DeletionListAnswer, DeletionRow } from '@arq-ts/dashboard/api'
import { segments } from '../api/client.ts'
import { useResource } from '../api/resource.ts'
import { brief } from '../format/duration.ts'
import { digits } from '../format/number.ts'
import { moment } from '../format/time.ts'
import { to } from '../router.ts'
import { useChanged } from '../shell/toasts.tsx'
import { may } from '../state/session.ts'
import { Confirm, type ConfirmRequest } from '../ui/confirm.tsx'
import { Limits, Section } from '../ui/parts.tsx'
import { Table, type Column } from '../ui/table.tsx'

/** Deletions of collections that are scheduled, each with the end of its grace period; nothing where there are none. */
export function Deletions() {
  const list = useResource<DeletionListAnswer>('deletions', { everyMs: 10_000 })
  const [asked, setAsked] = useState<ConfirmRequest | null>(null)
  useChanged(list.reload)
  const { data } = list
  if (!data?.available) return null
  const cancel = ({ collection, jobId, queueName }: DeletionRow) =>
    setAsked({
      title: `Keep ${collection}?`,
      does: 'Its deletion is taken back: the job is removed. One that runs already is asked to stop.',
      verb: 'Keep the collection',
      path: `deletions/${segments(jobId)}/cancel`,
      body: { queueName },
    })
  return (
    <Section title="Scheduled deletions of collections" remark="each is spared if an alias points to it by then">
      <Table
        label="Scheduled deletions"
        columns={columns(data.nowMs, cancel)}
        rows={data.deletions}
        keyOf={({ jobId, queueName }) => `${queueName} ${jobId}`}
        open={({ jobId, queueName }) => to('/job', { id: jobId, queue: queueName })}
        empty={<p class="muted">No collection is to be deleted.</p>}
      />
      <Limits of={[data.cursor !== null && `Only the first ${digits(data.scanned, 'job')} were looked at`]} />
      {asked && <Confirm of={asked} close={() => setAsked(null)} />}
    </Section>
  )
}

const columns = (now: number, cancel: (row: DeletionRow) => void): (Column<DeletionRow> | false)[] => [
  { name: 'Collection', names: true, tone: 'anywhere', cell: ({ collection }) => collection },
  { name: 'Queue', hide: 'wide', tone: 'fade', cell: ({ queueName }) => queueName },
  { name: 'Grace', number: true, hide: 'wide', tone: 'fade', cell: (row) => `${row.gracePeriodMinutes} min` },
  { name: 'Asked for', number: true, hide: 'wide', tone: 'fade', cell: ({ enqueuedMs }) => moment(enqueuedMs, now) },
  { name: 'Deleted', number: true, cell: ({ dueMs }) => (dueMs > now ? `in ${brief(dueMs - now)}` : 'due now') },
  may('cancel-deletion') && {
    name: 'Act',
    silent: true,
    number: true,
    cell: (row) => (
      <button type="button" class="link" onClick={() => cancel(row)}>
        Keep…
      </button>
    ),
  },
]
