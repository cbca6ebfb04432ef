import type { DoctorFinding, DoctorReport } from '@arq-ts/dashboard/api'
import { useResource } from '../api/resource.ts'
import { capital, count, digits, number } from '../format/number.ts'
import { duration } from '../format/duration.ts'
import { short, shown } from '../format/names.ts'
import { to } from '../router.ts'
import { useChanged } from '../shell/toasts.tsx'
import { openPlan } from '../state/plan.ts'
import { may } from '../state/session.ts'
import { Icon } from '../ui/icon.tsx'
import { Failure, Page, Waiting } from '../ui/parts.tsx'
import { Mark } from '../ui/status.tsx'

/** Damage that the doctor finds, and its repairs as plans. */
export function Doctor() {
  const report = useResource<DoctorReport>('doctor')
  useChanged(report.reload)
  if (!report.data) return report.failure ? <Failure of={report.failure} retry={report.reload} /> : <Waiting />
  return <Shown data={report.data} again={report.reload} busy={report.loading} />
}

function Shown({ data, again, busy }: { data: DoctorReport; again: () => void; busy: boolean }) {
  const errors = data.findings.filter(({ severity }) => severity === 'error').length
  const clear = data.incomplete.length === 0
  const title =
    data.findings.length > 0
      ? `The doctor found ${count(data.findings.length, 'problem')}${errors ? `; ${count(errors, 'is', 'are')} severe` : ''}.`
      : clear
        ? 'Nothing is damaged.'
        : 'No damage was found, but not everything was examined.'
  return (
    <Page
      title={title}
      lede={`${capital(digits(data.jobs, 'job'))} in ${count(data.queues.length, 'queue')} examined in ${duration(data.cost.tookMs)}, for ${digits(data.cost.commands, 'command')} of Redis.`}
      acts={
        <button type="button" class="button" data-key="r" onClick={again} disabled={busy}>
          <Icon name="rotate-cw" /> Examine again
        </button>
      }
    >
      {!clear && (
        <ul class="section checks" aria-label="Not examined">
          {data.incomplete.map((line) => (
            <li key={line}>
              <Mark shape="open" /> <span>{capital(line)}</span>
            </li>
          ))}
        </ul>
      )}
      <ul class="diagnoses">
        {data.findings.map((finding) => (
          <li key={`${finding.check} ${finding.queueName}`}>
            <Mark shape={finding.severity === 'error' ? 'failing' : 'warning'} />
            <div>
              <p>
                <span class="sr">{finding.severity === 'error' ? 'Error: ' : 'Warning: '}</span>
                <b>{capital(finding.message)}</b>
              </p>
              <p class="muted">
                {finding.check}
                {finding.queueName && ` · ${shown(finding.queueName)}`}
                {finding.count > 1 && ` · ${number(finding.count)}`}{' '}
                {finding.repair ? `· repair: ${finding.repair}` : '· only a person can repair it'}
              </p>
              {finding.jobIds.length > 0 && (
                <p class="ids mono">
                  {finding.jobIds.slice(0, 4).map((id) => (
                    <a key={id} href={pageOf(finding, id)}>
                      {short(id)}
                    </a>
                  ))}
                  {finding.count > 4 && (
                    <span class="muted">and {number(finding.count - Math.min(4, finding.jobIds.length))} more</span>
                  )}
                </p>
              )}
            </div>
            {finding.repair && may('repair') && (
              <button
                type="button"
                class="button"
                data-row
                onClick={() =>
                  openPlan({ action: 'repair', check: finding.check, queueName: finding.queueName }, 'Repair')
                }
              >
                <Icon name="wrench" /> Repair…
              </button>
            )}
          </li>
        ))}
      </ul>
      {data.findings.length === 0 && (
        <p class="section muted">
          The doctor looks for jobs without a payload, payloads nobody queued, keys of a wrong type, scores that are no
          times, leases without an end, and workers that stopped to report.
        </p>
      )}
    </Page>
  )
}

/** The page of a thing that a finding names: of a job, but for a few checks. */
function pageOf({ check, queueName }: DoctorFinding, name: string): string {
  switch (check) {
    case 'broken-schedule':
      return to('/schedule', { name })
    case 'paused-cron':
      return to('/cron')
    case 'unreadable-worker':
      return to('/workers')
    default:
      return to('/job', { id: name, queue: queueName })
  }
}
