import type { QueueList, SeriesAnswer } from '@arq-ts/dashboard/api'
import { useResource } from '../api/resource.ts'
import { count, digits, list } from '../format/number.ts'
import { shown } from '../format/names.ts'
import { range, rangeWords } from '../state/range.ts'
import { Empty, Limits, Loaded, Page } from '../ui/parts.tsx'
import { QueueTable } from './queue-table.tsx'
import { ill, jobsInAll } from './queue-words.ts'
import { seriesPath } from './recorded-charts.tsx'

/** All queues, the ill ones first. */
export function Queues() {
  const queues = useResource<QueueList>('queues', { topic: 'queues' })
  return <Loaded of={queues}>{(data) => <Shown data={data} />}</Loaded>
}

function Shown({ data }: { data: QueueList }) {
  const depth = useResource<SeriesAnswer>(seriesPath('depth', 'queue'), { everyMs: 60_000, keep: true })
  const sorted = [...data.queues].sort(
    (a, b) =>
      Number(ill(b, data.nowMs)) - Number(ill(a, data.nowMs)) ||
      b.pending - a.pending ||
      a.queueName.localeCompare(b.queueName),
  )
  const sick = data.queues.filter((queue) => ill(queue, data.nowMs))
  const title =
    data.queues.length === 0
      ? 'No job has been enqueued yet.'
      : sick.length === 0
        ? `${data.queues.length === 1 ? 'The queue is' : `All ${count(data.queues.length, 'queue')} are`} on time.`
        : `${list(sick.map((queue) => queue.queueName))} ${sick.length === 1 ? 'needs' : 'need'} you.`
  return (
    <Page title={title} lede={jobsInAll(data.queues)}>
      {data.queues.length === 0 ? (
        <div class="section">
          <Empty title="A queue is a sorted set of due times.">
            <p>
              It exists while jobs are in it. Its name is the producer’s <code>queueName</code> (Python:{' '}
              <code>_queue_name</code>), by default <code>arq:queue</code>.
            </p>
          </Empty>
        </div>
      ) : (
        <div class="section">
          <QueueTable
            order="order"
            queues={sorted}
            depth={depth.data}
            now={data.nowMs}
            range={rangeWords[range.value]}
          />
        </div>
      )}
      <Limits
        of={[
          data.omitted > 0 &&
            `${digits(data.omitted, 'more queue')} ${data.omitted === 1 ? 'was' : 'were'} not counted`,
          !data.complete && 'The database has more keys than were scanned; an idle queue may be missing',
          ...data.queues.flatMap(({ queueName, problems }) =>
            problems.map((problem) => `${shown(queueName)}: ${problem}`),
          ),
        ]}
      />
    </Page>
  )
}
