import type { QueueRow, SeriesAnswer } from '@arq-ts/dashboard/api'
import { Sparkline } from '../charts/spark.tsx'
import { rate } from '../format/number.ts'
import { brief } from '../format/duration.ts'
import { moment } from '../format/time.ts'
import { shown } from '../format/names.ts'
import { to } from '../router.ts'
import { Languages, QueueState } from '../ui/status.tsx'
import { Table, type Column } from '../ui/table.tsx'
import { isLate, jobsIn } from './queue-words.ts'

/** Time at which a queue empties, in words. */
export function empties(queue: QueueRow, now: number): string {
  if (queue.emptiesAt === null) return '–'
  if (queue.emptiesAt === 'empty') return 'is empty'
  return queue.emptiesAt === 'never' ? 'never' : `at ${moment(queue.emptiesAt, now)}`
}

interface Props {
  queues: QueueRow[]
  depth: SeriesAnswer | undefined
  now: number
  range: string
  /** The part of the address that keeps its order; the overview has none. */
  order?: string
}

/** Queues in numbers, the ill ones first. */
export function QueueTable({ queues, depth, now, range, order }: Props) {
  const lines = new Map(depth?.available ? depth.series.map(({ name, values }) => [name, values]) : [])
  return (
    <Table
      label="Queues"
      columns={columns(now, range, lines)}
      rows={queues}
      keyOf={({ queueName }) => queueName}
      open={({ queueName }) => to('/queue', { name: queueName })}
      {...(order !== undefined && { order })}
    />
  )
}

const waited = ({ oldestDueMs }: QueueRow, now: number): number | null =>
  oldestDueMs === null ? null : Math.max(0, now - oldestDueMs)

function columns(now: number, range: string, lines: Map<string, (number | null)[]>): (Column<QueueRow> | false)[] {
  const isFinding = (queue: QueueRow) =>
    queue.state === 'falling-behind' || queue.state === 'unserved' || isLate(queue, now)
  return [
    {
      name: 'Queue',
      names: true,
      tone: 'name',
      by: ({ queueName }) => queueName,
      cell: ({ queueName }) => queueName,
      adjacent: ({ languages }) => <Languages of={languages} />,
    },
    { name: 'State', cell: (queue) => <QueueState state={queue.state} late={isLate(queue, now)} /> },
    {
      name: 'Due',
      number: true,
      by: ({ pending }) => pending,
      tone: (queue) => (isFinding(queue) ? 'warning strong' : queue.pending ? 'strong' : 'fade'),
      cell: (queue) => jobsIn(queue, queue.pending, '≤ '),
    },
    {
      name: 'Deferred',
      number: true,
      hide: 'wide',
      tone: 'fade',
      by: ({ deferred }) => deferred,
      cell: (queue) => jobsIn(queue, queue.deferred, '≤ '),
    },
    {
      name: 'Oldest waits',
      number: true,
      by: (queue) => waited(queue, now),
      tone: (queue) => (isFinding(queue) ? 'warning' : 'fade'),
      cell: (queue) => brief(waited(queue, now)),
    },
    {
      name: 'In / min',
      number: true,
      hide: 'minor',
      tone: 'fade',
      by: ({ rates }) => rates?.inPerMinute ?? null,
      cell: ({ rates }) => rate(rates?.inPerMinute),
    },
    {
      name: 'Out / min',
      number: true,
      hide: 'minor',
      tone: 'fade',
      by: ({ rates }) => rates?.outPerMinute ?? null,
      cell: ({ rates }) => rate(rates?.outPerMinute),
    },
    lines.size > 0 && {
      name: `Due, ${range}`,
      hide: 'minor',
      cell: (queue) =>
        lines.has(queue.queueName) && (
          <Sparkline
            values={lines.get(queue.queueName)!}
            tone={isFinding(queue) ? 'warning' : 'other'}
            label={`Jobs due in ${shown(queue.queueName)}, ${range}`}
          />
        ),
    },
    {
      name: 'Empties',
      number: true,
      hide: 'wide',
      tone: ({ emptiesAt }) => (emptiesAt === 'never' ? 'warning strong' : emptiesAt === 'empty' ? 'fade' : ''),
      cell: (queue) => empties(queue, now),
    },
  ]
}
