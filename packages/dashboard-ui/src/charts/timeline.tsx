import type { TryRow } from '@arq-ts/dashboard/api'
import { brief, duration } from '../format/duration.ts'
import { clockSeconds } from '../format/time.ts'
import { typeAndMessage } from '../format/stack.ts'
import { shown } from '../format/names.ts'
import { Mark, type Shape } from '../ui/status.tsx'
import { labelWidth } from './scale.ts'
import { layout, type Place } from './timeline-layout.ts'
import { useWidth } from './use-width.ts'

const shapes: Record<TryRow['outcome'], [Shape, string]> = {
  complete: ['on-time', 'complete'],
  failed: ['failing', 'failed'],
  aborted: ['aborted', 'aborted'],
  retried: ['retrying', 'to be retried'],
  lost: ['warning', 'lost with its worker'],
  running: ['running', 'running'],
  waiting: ['deferred', 'waiting'],
}

const tones: Record<TryRow['outcome'], string> = {
  complete: 'tone-other',
  failed: 'tone-failing',
  aborted: 'tone-other',
  retried: 'tone-failing',
  lost: 'tone-warning',
  running: 'tone-accent',
  waiting: 'tone-other',
}

/** The tries of a job. Running time is to scale; waits are folded and labelled, so that idle time never squashes work. */
export function Timeline({ tries, now, dueMs }: { tries: readonly TryRow[]; now: number; dueMs: number | null }) {
  const [ref, width] = useWidth(760)
  const small = width < 420
  const places = layout(tries, width - 8, now, small ? 24 : Math.min(104, Math.max(64, width / (tries.length * 2 + 1))))
  return (
    <ol class="timeline">
      {places.map((one, i) => (
        <li key={one.row.jobTry}>
          <Mark shape={shapes[one.row.outcome][0]} />
          <span class="try">
            <b>Try {one.row.jobTry}</b>{' '}
            <span class="muted" title={one.row.workerId ? shown(one.row.workerId) : undefined}>
              {who(one.row)}
            </span>
            <span class="sr"> {shapes[one.row.outcome][1]}</span>
          </span>
          <div class="plot" ref={i === 0 ? ref : null}>
            <Bar place={one} width={width} small={small} now={now} dueMs={dueMs} />
          </div>
          <span class="ran n">
            {one.row.outcome === 'waiting'
              ? dueMs !== null && dueMs > now
                ? `in ${duration(dueMs - now)}`
                : 'due now'
              : one.ranMs === null
                ? '–'
                : duration(one.ranMs)}
          </span>
          <span class="summary muted">{summary(one, dueMs)}</span>
        </li>
      ))}
    </ol>
  )
}

function who({ workerId, outcome }: TryRow): string {
  // A worker's id is its name, process and a random part; the title has it whole.
  if (workerId) return shown(workerId.split(':')[0]!)
  return outcome === 'waiting' ? 'any worker' : ''
}

/** Outcome of a try, in one line. */
function said({ row }: Place, dueMs: number | null): string {
  if (row.outcome === 'waiting') return dueMs === null ? 'waits' : `due at ${clockSeconds(dueMs)}`
  if (row.error) {
    const [type, message] = typeAndMessage(row.error)
    return message || type || row.error
  }
  return row.outcome === 'complete' ? '' : shapes[row.outcome][1]
}

function summary(place: Place, dueMs: number | null): string {
  const waited = place.waitedMs === null ? '' : `${brief(place.waitedMs)} wait, then: `
  return `${waited}${said(place, dueMs) || shapes[place.row.outcome][1]}`
}

function Bar({
  place,
  width,
  small,
  now,
  dueMs,
}: {
  place: Place
  width: number
  small: boolean
  now: number
  dueMs: number | null
}) {
  const { row, wait, start, end } = place
  const label =
    place.waitedMs === null
      ? row.outcome === 'waiting' && dueMs !== null && row.fromMs !== null
        ? brief(Math.max(dueMs, now) - row.fromMs)
        : ''
      : brief(place.waitedMs)
  const text = said(place, dueMs)
  const length = labelWidth(text)
  const after = end + 8 + length < width
  const room = wait - 8
  const fitting =
    after || length < room
      ? text
      : `${text.slice(0, Math.max(0, Math.floor(Math.max(room, width - end - 8) / 6.4) - 1))}…`
  const right = after || width - end - 8 >= room
  const y = 10
  return (
    <svg class="chart" height={20} aria-hidden="true">
      {label && !small ? (
        <>
          <line class="dots" x1={wait + 4} x2={(wait + start - labelWidth(label)) / 2 - 4} y1={y + 0.5} y2={y + 0.5} />
          <text class="said" x={(wait + start) / 2} y={y + 4} text-anchor="middle">
            {label}
          </text>
          <line class="dots" x1={(wait + start + labelWidth(label)) / 2 + 4} x2={start} y1={y + 0.5} y2={y + 0.5} />
        </>
      ) : (
        <line class="dots" x1={wait + 2} x2={start} y1={y + 0.5} y2={y + 0.5} />
      )}
      {row.outcome === 'waiting' ? (
        <rect class="open" x={start + 0.5} width={end - start - 1} y={3.5} height={13} rx={2} />
      ) : (
        <rect class={`bar ${tones[row.outcome]}`} x={start} width={Math.max(4, end - start)} y={4} height={12} rx={2} />
      )}
      {!small && fitting && (
        <text class="said" x={right ? end + 8 : room} y={y + 4} text-anchor={right ? 'start' : 'end'}>
          {fitting}
        </text>
      )}
    </svg>
  )
}
