import type { DeploymentRow } from '@arq-ts/dashboard/api'
import { brief } from '../format/duration.ts'
import { percent } from '../format/number.ts'
import { Mark, type Shape } from '../ui/status.tsx'
import { isOpen } from './canary-words.ts'

const minute = 60_000

/** The stages as a path: those passed, the present one with the time that it has taken, and those to come. */
export function Stages({ of, now }: { of: DeploymentRow; now: number }) {
  const done = of.status === 'completed'
  return (
    <ol class="stages" aria-label="Stages">
      {of.stages.map((stage, i) => {
        const present = i === of.currentStage && !done
        const shape: Shape = done || i < of.currentStage ? 'on-time' : present ? shapeOf(of) : 'deferred'
        return (
          <li key={i} aria-current={present ? 'step' : undefined}>
            <Mark shape={shape} />
            <b class="num">{percent(stage.percentage / 100)}</b>
            <span class="muted">
              {present && isOpen(of) && of.stageStartedAtMs !== null
                ? `${brief(Math.max(0, now - of.stageStartedAtMs))} of ${brief(stage.durationMinutes * minute)}`
                : `for ${brief(stage.durationMinutes * minute)}`}
            </span>
            <small class="muted">
              errors ≤ {percent(stage.errorThreshold)}, p95 ≤ {stage.latencyThreshold} ms
              {stage.approval ? ', by approval' : ''}
            </small>
          </li>
        )
      })}
    </ol>
  )
}

function shapeOf({ status }: DeploymentRow): Shape {
  if (status === 'paused') return 'paused'
  if (status === 'running') return 'running'
  return status === 'queued' || status === 'pending' ? 'open' : 'failing'
}

/** The share that is configured, as a bar, with a mark where the observed one lies. */
export function Share({ of: { share } }: { of: DeploymentRow }) {
  const [width, height] = [96, 8]
  const x = (value: number) => (value / 100) * width
  return (
    <span class="share num">
      <svg width={width} height={height + 4} aria-hidden="true">
        <rect class="room" y={2} width={width} height={height} rx={2} />
        <rect class="taken" y={2} width={x(share.configured)} height={height} rx={2} />
        {share.observed !== null && (
          <rect class="seen" x={Math.min(width - 2, x(share.observed))} width={2} height={12} />
        )}
      </svg>{' '}
      {percent(share.configured / 100)}
      <span class="muted">{share.observed === null ? '' : `, observed ${percent(share.observed / 100)}`}</span>
    </span>
  )
}
