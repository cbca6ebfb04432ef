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
import { Confirm, type Asked } from '../ui/confirm.tsx'
import { Limits, Section } from '../ui/parts.tsx'

/** Deletions of collections that are scheduled, each with the end of its grace period; nothing where there are none. */
export function Deletions() {
  const list = useResource<DeletionListAnswer>('deletions', { everyMs: 10_000 })
  const [asked, setAsked] = useState<Asked | null>(null)
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
      {data.deletions.length === 0 ? (
        <p class="muted">No collection is to be deleted.</p>
      ) : (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">Collection</th>
                <th scope="col" class="wide">
                  Queue
                </th>
                <th scope="col" class="n wide">
                  Grace
                </th>
                <th scope="col" class="n wide">
                  Asked for
                </th>
                <th scope="col" class="n">
                  Deleted
                </th>
                {may('cancel-deletion') && (
                  <th scope="col">
                    <span class="sr">Act</span>
                  </th>
                )}
              </tr>
            </thead>
            <tbody>
              {data.deletions.map((row) => (
                <tr key={`${row.queueName} ${row.jobId}`}>
                  <th scope="row" class="anywhere">
                    <a href={to('/job', { id: row.jobId, queue: row.queueName })}>{row.collection}</a>
                  </th>
                  <td class="fade wide">{row.queueName}</td>
                  <td class="n fade wide">{row.gracePeriodMinutes} min</td>
                  <td class="n fade wide">{moment(row.enqueuedMs, data.nowMs)}</td>
                  <td class="n">{row.dueMs > data.nowMs ? `in ${brief(row.dueMs - data.nowMs)}` : 'due now'}</td>
                  {may('cancel-deletion') && (
                    <td class="n">
                      <button type="button" class="link" data-row onClick={() => cancel(row)}>
                        Keep…
                      </button>
                    </td>
                  )}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <Limits of={[data.cursor !== null && `Only the first ${digits(data.scanned, 'job')} were looked at`]} />
      {asked && <Confirm of={asked} close={() => setAsked(null)} />}
    </Section>
  )
}
