import type { QueueRow, SeriesAnswer } from '@arq-ts/dashboard/api'
import { Sparkline } from '../charts/spark.tsx'
import { number, rate } from '../format/number.ts'
import { brief } from '../format/duration.ts'
import { moment } from '../format/time.ts'
import { to } from '../router.ts'
import { Languages, QueueState } from '../ui/status.tsx'
import { isLate } from './queue-words.ts'

/** When a queue empties, in words. */
export function empties(queue: QueueRow, now: number): string {
  if (queue.emptiesAt === null) return '–'
  if (queue.emptiesAt === 'empty') return 'is empty'
  return queue.emptiesAt === 'never' ? 'never' : `at ${moment(queue.emptiesAt, now)}`
}

/** Queues in numbers, the ill ones first. Rows keep their places while a pointer is over them. */
export function QueueTable({
  queues,
  depth,
  now,
  range,
}: {
  queues: QueueRow[]
  depth: SeriesAnswer | undefined
  now: number
  range: string
}) {
  const lines = new Map(depth?.available ? depth.series.map(({ name, values }) => [name, values]) : [])
  return (
    <div class="scroll">
      <table class="queues">
        <thead>
          <tr>
            <th scope="col">Queue</th>
            <th scope="col">State</th>
            <th scope="col" class="n">
              Due
            </th>
            <th scope="col" class="n wide">
              Deferred
            </th>
            <th scope="col" class="n">
              Oldest waits
            </th>
            <th scope="col" class="n minor">
              In / min
            </th>
            <th scope="col" class="n minor">
              Out / min
            </th>
            {lines.size > 0 && (
              <th scope="col" class="minor">
                Due, {range}
              </th>
            )}
            <th scope="col" class="n wide">
              Empties
            </th>
          </tr>
        </thead>
        <tbody>
          {queues.map((queue) => {
            const finding = queue.state === 'falling-behind' || queue.state === 'unserved' || isLate(queue, now)
            const oldest = queue.oldestDueMs === null ? null : Math.max(0, now - queue.oldestDueMs)
            return (
              <tr key={queue.queueName}>
                <th scope="row" class="name">
                  <a href={to('/queue', { name: queue.queueName })} data-row>
                    {queue.queueName}
                  </a>
                  <Languages of={queue.languages} />
                </th>
                <td>
                  <QueueState state={queue.state} late={isLate(queue, now)} />
                </td>
                <td class={`n ${finding ? 'warning strong' : queue.pending ? 'strong' : 'fade'}`}>
                  {number(queue.pending)}
                </td>
                <td class="n fade wide">{number(queue.deferred)}</td>
                <td class={`n ${finding ? 'warning' : 'fade'}`}>{oldest === null ? '–' : brief(oldest)}</td>
                <td class="n fade minor">{rate(queue.rates?.inPerMinute)}</td>
                <td class="n fade minor">{rate(queue.rates?.outPerMinute)}</td>
                {lines.size > 0 && (
                  <td class="minor">
                    {lines.has(queue.queueName) && (
                      <Sparkline
                        values={lines.get(queue.queueName)!}
                        tone={finding ? 'warning' : 'other'}
                        label={`Jobs due in ${queue.queueName}, ${range}`}
                      />
                    )}
                  </td>
                )}
                <td
                  class={`n wide ${queue.emptiesAt === 'never' ? 'warning strong' : queue.emptiesAt === 'empty' ? 'fade' : ''}`}
                >
                  {empties(queue, now)}
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </div>
  )
}
