import type { WorkerList } from '@arq-ts/dashboard/api'
import { useResource } from '../api/resource.ts'
import { capital, count, digits } from '../format/number.ts'
import { shown } from '../format/names.ts'
import { Empty, Limits, Loaded, Page, Section } from '../ui/parts.tsx'
import { PythonTable, RunningTable, WorkerTable } from './worker-tables.tsx'

/** Workers of both languages. */
export function Workers() {
  const workers = useResource<WorkerList>('workers', { topic: 'workers' })
  return <Loaded of={workers}>{(data) => <Shown data={data} />}</Loaded>
}

function Shown({ data }: { data: WorkerList }) {
  const draining = data.workers.filter(({ state }) => state === 'draining').length
  const slots = data.workers.reduce((sum, { maxJobs }) => sum + maxJobs, 0)
  const taken = data.workers.reduce((sum, { ongoing }) => sum + ongoing, 0)
  const none = data.workers.length === 0 && data.python.length === 0
  return (
    <Page
      title={
        none
          ? 'No worker is live.'
          : data.workers.length === 0
            ? `Python serves ${count(data.python.length, 'queue')}; no TypeScript worker is live.`
            : `${capital(count(data.workers.length, 'TypeScript worker'))} ${data.workers.length === 1 ? 'is' : 'are'} live${data.python.length ? `, and Python serves ${count(data.python.length, 'queue')}` : ''}.`
      }
      lede={
        none
          ? 'Jobs wait until one starts.'
          : `${digits(taken, 'slot')} of ${slots} taken${draining ? `; ${count(draining, 'worker')} ${draining === 1 ? 'drains' : 'drain'}` : ''}.`
      }
    >
      {none ? (
        <div class="section">
          <Empty title="Start a worker in either language.">
            <p>
              <code>npx arq-ts worker</code> or <code>arq worker.WorkerSettings</code>. It stands here within its first
              heartbeat.
            </p>
          </Empty>
        </div>
      ) : (
        <div>
          {data.workers.length > 0 && (
            <div class="section">
              <WorkerTable workers={data.workers} now={data.nowMs} order="order" />
            </div>
          )}
          {data.python.length > 0 && (
            <Section
              title="Python"
              remark="one line a queue: arq’s workers of a queue write the same health key, so they cannot be distinguished"
            >
              <PythonTable rows={data.python} />
            </Section>
          )}
          {data.workers.length > 0 && (
            <Section title="At work now" remark="in TypeScript workers, the longest first">
              <RunningTable workers={data.workers} now={data.nowMs} />
            </Section>
          )}
        </div>
      )}
      <Limits
        of={data.unreadable.map(
          ({ workerId, reason }) => `The entry of the worker “${shown(workerId)}” cannot be read: ${reason}`,
        )}
      />
    </Page>
  )
}
