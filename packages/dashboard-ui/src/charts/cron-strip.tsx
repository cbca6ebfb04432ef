import type { CronRow } from '@arq-ts/dashboard/api'
import { clock, dayMonth, zoneShift } from '../format/time.ts'
import { shown } from '../format/names.ts'
import { timeTicks } from './scale.ts'
import { useWidth } from './use-width.ts'

/** Reasons why a worker left a tick out, in words. */
export const WHY_LEFT_OUT: Readonly<Record<CronRow['leftOut'][number]['why'], string>> = {
  overlap: 'one ran',
  late: 'Redis was away',
  paused: 'it was paused',
}

/** Most coming ticks that the server sends for one cron job or schedule. */
const MOST_COMING = 200

interface Span {
  from: number
  to: number
  now: number
}

/** The hours over the strips of the calendar. */
export function StripHead({ from, to, now }: Span) {
  const [ref, width] = useWidth(640)
  const x = (at: number) => ((at - from) / (to - from)) * width
  return (
    <div class="strip-head" aria-hidden="true">
      <span />
      <div class="plot" ref={ref}>
        <svg class="chart" height={20}>
          {timeTicks(from, to, Math.max(2, Math.floor(width / 80)), zoneShift(now), 0)
            .filter((at) => Math.abs(x(at) - x(now)) > 44 && x(at) > 20 && x(at) < width - 20)
            .map((at) => (
              <text key={at} x={x(at)} y={14} text-anchor="middle">
                {clock(at) === '00:00' ? dayMonth(at) : clock(at)}
              </text>
            ))}
          <text class="now strong" x={x(now)} y={14} text-anchor="middle">
            now
          </text>
        </svg>
      </div>
      <span />
      <span />
    </div>
  )
}

/** Ticks of a strip. `enqueued`: ticks of which only the job is known. */
export interface StripTicks extends Pick<CronRow, 'name' | 'coming' | 'past' | 'leftOut' | 'missed'> {
  enqueued?: number[]
}

/** The ticks of one cron job or schedule: those that ran, failed or were missed, and those to come. */
export function CronStrip({ job, from, to, now }: Span & { job: StripTicks }) {
  const [ref, width] = useWidth(640)
  const x = (at: number) => Math.min(width - 3, Math.max(3, ((at - from) / (to - from)) * width))
  // Ticks stay apart: what is a dot where there are few is a point where there are many.
  const each = ((to - from) / (to - now)) * job.coming.length + job.past.length / 2
  const radius = Math.min(3.2, Math.max(0.9, (0.36 * width) / Math.max(1, each)))
  // A band stands for ticks beyond those that the server sends: no strip ends before its ticks do.
  const isCut = job.coming.length >= MOST_COMING
  const failed = job.past.filter(({ status }) => status !== 'complete')
  const enqueued = (job.enqueued ?? []).filter((at) => at >= from && at < to)
  const words = [
    job.enqueued ? `${enqueued.length} known of those before` : `${job.past.length} ran`,
    failed.length && `${failed.length} of them failed`,
    job.leftOut.length && `${job.leftOut.length} were left out`,
    job.missed.length && `${job.missed.length} were missed`,
    isCut ? `more than ${job.coming.length} to come` : `${job.coming.length} to come`,
  ]
    .filter(Boolean)
    .join(', ')
  return (
    <div class="plot" ref={ref}>
      <svg class="chart strip" height={28} role="img" aria-label={`Ticks of ${shown(job.name)}: ${words}`}>
        <line class="grid" x1={0} x2={width} y1={14.5} y2={14.5} />
        <line class="today" x1={Math.round(x(now)) + 0.5} x2={Math.round(x(now)) + 0.5} y1={0} y2={28} />
        {isCut && <line class="band" x1={x(job.coming.at(-1)!)} x2={width - 3} y1={14.5} y2={14.5} />}
        {job.coming.map((at) => (
          <circle key={at} class="coming" cx={x(at)} cy={14.5} r={radius}>
            <title>{clock(at)}</title>
          </circle>
        ))}
        {enqueued.map((at) => (
          <circle key={at} class="past" cx={x(at)} cy={14.5} r={radius}>
            <title>{`${clock(at)} enqueued`}</title>
          </circle>
        ))}
        {job.past.map(({ atMs, status }) => {
          return status !== 'complete' ? (
            <rect key={atMs} class="failed" x={x(atMs) - 3.5} y={11} width={7} height={7}>
              <title>{`${clock(atMs)} ${status}`}</title>
            </rect>
          ) : (
            <circle key={atMs} class="past" cx={x(atMs)} cy={14.5} r={radius}>
              <title>{`${clock(atMs)} ${status}`}</title>
            </circle>
          )
        })}
        {job.leftOut.map(({ atMs, why }) => (
          <path key={atMs} class="left-out" d={`M${x(atMs) - 3.5} 18l7 -7`}>
            <title>{`${clock(atMs)} left out, ${WHY_LEFT_OUT[why]}`}</title>
          </path>
        ))}
        {job.missed.map((at) => (
          <path key={at} class="missed" d={`M${x(at)} 8.5l5.5 10h-11z`}>
            <title>{`${clock(at)} missed`}</title>
          </path>
        ))}
      </svg>
    </div>
  )
}
