import type { PythonWorkerRow, WorkerRow } from '@arq-ts/dashboard/api'
import { bytes, list, number } from '../format/number.ts'
import { brief, duration } from '../format/duration.ts'
import { full } from '../format/time.ts'
import { to } from '../router.ts'
import { Languages, Status } from '../ui/status.tsx'

/** Slots of a worker as a bar: taken ones are filled. */
function Slots({ taken, of }: { taken: number; of: number }) {
  const width = 64
  return (
    <svg class="slots" width={width} height={8} role="img" aria-label={`${taken} of ${of} slots taken`}>
      <rect class="room" width={width} height={8} rx={2} />
      <rect class="taken" width={of > 0 ? Math.min(width, (taken / of) * width) : 0} height={8} rx={2} />
    </svg>
  )
}

/** Workers of arq-ts, one a row. */
export function WorkerTable({ workers, now }: { workers: WorkerRow[]; now: number }) {
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Worker</th>
            <th scope="col">State</th>
            <th scope="col">Slots</th>
            <th scope="col" class="wide">
              Queues
            </th>
            <th scope="col" class="n minor">
              Complete
            </th>
            <th scope="col" class="n minor">
              Failed
            </th>
            <th scope="col" class="n wide">
              Memory
            </th>
            <th scope="col" class="n">
              Up
            </th>
          </tr>
        </thead>
        <tbody>
          {workers.map((worker) => (
            <tr key={worker.id}>
              <th scope="row" class="name two">
                <span title={worker.id}>{worker.name}</span>
                <Languages of={['arq-ts']} />
                <small>
                  {worker.host}, pid {worker.pid}, {worker.version}
                </small>
              </th>
              <td>
                {worker.state === 'running' ? (
                  <Status shape="on-time" calm>
                    runs
                  </Status>
                ) : (
                  <Status shape="paused">drains</Status>
                )}
              </td>
              <td class="num name">
                <Slots taken={worker.ongoing} of={worker.maxJobs} /> {worker.ongoing} of {worker.maxJobs}
              </td>
              <td class="fade wide">{list(worker.queues)}</td>
              <td class="n fade minor">{number(worker.complete)}</td>
              <td class="n fade minor">{number(worker.failed)}</td>
              <td class="n fade wide">{bytes(worker.rssBytes)}</td>
              <td class="n fade" title={full(worker.startedAtMs)}>
                {brief(now - worker.startedAtMs)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** Jobs at work in workers of arq-ts, the longest first. */
export function RunningTable({ workers, now }: { workers: WorkerRow[]; now: number }) {
  const running = workers
    .flatMap((worker) => worker.running.map((job) => ({ ...job, worker: worker.name })))
    .sort((a, b) => a.startedAtMs - b.startedAtMs)
  if (running.length === 0) return <p class="muted">No job runs in a TypeScript worker now.</p>
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Job</th>
            <th scope="col">Worker</th>
            <th scope="col" class="n minor">
              Try
            </th>
            <th scope="col" class="n">
              Runs for
            </th>
          </tr>
        </thead>
        <tbody>
          {running.slice(0, 20).map((job) => (
            <tr key={job.jobId}>
              <td class="two">
                <a href={to('/job', { id: job.jobId, queue: job.queueName })} data-row>
                  <code>{job.functionName}</code>
                </a>
                <small class="mono">{job.jobId}</small>
              </td>
              <td class="fade">{job.worker}</td>
              <td class="n fade minor">{job.jobTry}</td>
              <td class="n">{duration(Math.max(0, now - job.startedAtMs))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** Python workers by queue: their health line is shared. */
export function PythonTable({ rows }: { rows: PythonWorkerRow[] }) {
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Queue</th>
            <th scope="col" class="n">
              Running
            </th>
            <th scope="col" class="n">
              Complete
            </th>
            <th scope="col" class="n">
              Failed
            </th>
            <th scope="col" class="n wide">
              Retried
            </th>
            <th scope="col" class="n wide">
              Line expires
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.queueName}>
              <th scope="row" class="name">
                <span title={row.line}>{row.queueName}</span>
                <Languages of={['python']} />
              </th>
              <td class="n">{number(row.ongoing)}</td>
              <td class="n fade">{number(row.complete)}</td>
              <td class="n fade">{number(row.failed)}</td>
              <td class="n fade wide">{number(row.retried)}</td>
              <td class="n fade wide">in {brief(row.expiresInMs)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
