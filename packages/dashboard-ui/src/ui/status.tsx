import type { ComponentChildren } from 'preact'
import type { JobStateName, Language, QueueRow } from '@arq-ts/dashboard/api'
import type { Shape } from './shapes.ts'

export type { Shape }

/** The shape of a state. */
export function Mark({ shape, size = 16 }: { shape: Shape; size?: number }) {
  return (
    <svg class={`shape-${shape}`} width={size} height={size} viewBox="0 0 16 16" fill="none" aria-hidden="true">
      {drawings[shape]}
    </svg>
  )
}

const ring = { cx: 8, cy: 8, r: 5.6, stroke: 'currentColor', 'stroke-width': 1.7 }
const cross = {
  d: 'm5.7 5.7 4.6 4.6m0-4.6-4.6 4.6',
  stroke: 'var(--page)',
  'stroke-width': 1.7,
  'stroke-linecap': 'round' as const,
}
const drawings: Record<Shape, ComponentChildren> = {
  failing: (
    <>
      <path d="M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1z" fill="currentColor" />
      <path {...cross} />
    </>
  ),
  warning: (
    <>
      <path
        d="M8 1.6 15.2 14.2H.8z"
        fill="currentColor"
        stroke="currentColor"
        stroke-width={1.2}
        stroke-linejoin="round"
      />
      <path d="M8 6v4" stroke="var(--page)" stroke-width={1.7} stroke-linecap="round" />
      <circle cx={8} cy={12.2} r={1} fill="var(--page)" />
    </>
  ),
  'on-time': (
    <path
      d="m2.5 8.5 3.6 3.6L13.5 4"
      stroke="currentColor"
      stroke-width={1.8}
      stroke-linecap="round"
      stroke-linejoin="round"
    />
  ),
  running: (
    <>
      <circle {...ring} />
      <path d="M8 4.6a3.4 3.4 0 0 1 0 6.8z" fill="currentColor" />
    </>
  ),
  open: <circle {...ring} />,
  deferred: <circle {...ring} stroke-dasharray="2.6 1.8" />,
  retrying: (
    <path
      d="M13.2 9.4A5.4 5.4 0 1 1 12.6 5M13.4 1.8v3.8H9.6"
      stroke="currentColor"
      stroke-width={1.7}
      stroke-linecap="round"
      stroke-linejoin="round"
    />
  ),
  paused: <path d="M5.4 3v10M10.6 3v10" stroke="currentColor" stroke-width={2.4} stroke-linecap="round" />,
  aborted: (
    <>
      <circle {...ring} />
      <path d="m4.2 4.2 7.6 7.6" stroke="currentColor" stroke-width={1.7} />
    </>
  ),
  skipped: <path d="M3.4 8h9.2" stroke="currentColor" stroke-width={1.8} stroke-linecap="round" />,
  dead: (
    <>
      <rect x={1.4} y={1.4} width={13.2} height={13.2} rx={2} fill="currentColor" />
      <path {...cross} />
    </>
  ),
}

/** A shape and its word. */
export function Status({
  shape,
  tinted,
  calm,
  children,
}: {
  shape: Shape
  tinted?: boolean
  calm?: boolean
  children: ComponentChildren
}) {
  const tone =
    shape === 'failing' || shape === 'dead' ? 'failing' : shape === 'warning' || shape === 'paused' ? 'warning' : ''
  return (
    <span class={`status ${tinted ? `tinted ${tone}` : ''} ${calm ? 'calm' : ''}`}>
      <Mark shape={shape} />
      {children}
    </span>
  )
}

const jobShapes: Record<JobStateName, [Shape, string]> = {
  queued: ['open', 'queued'],
  deferred: ['deferred', 'deferred'],
  retrying: ['retrying', 'waits to retry'],
  running: ['running', 'running'],
  complete: ['on-time', 'complete'],
  failed: ['failing', 'failed'],
  aborted: ['aborted', 'aborted'],
  dead: ['dead', 'dead letter'],
  not_found: ['open', 'not found'],
}

/** The state of a job. */
export function JobStatus({ status }: { status: JobStateName }) {
  const [shape, word] = jobShapes[status]
  return <Status shape={shape}>{word}</Status>
}

const queueShapes: Record<QueueRow['state'], [Shape, string]> = {
  'on-time': ['on-time', 'on time'],
  'falling-behind': ['warning', 'falling behind'],
  paused: ['paused', 'paused'],
  unserved: ['warning', 'no worker'],
  empty: ['on-time', 'empty'],
  damaged: ['failing', 'damaged'],
}

const lateShape: [Shape, string] = ['warning', 'late']

/** The state of a queue; a finding is tinted. */
export function QueueState({ state, late = false }: { state: QueueRow['state']; late?: boolean }) {
  const [shape, word] = late ? lateShape : queueShapes[state]
  const calm = shape === 'on-time'
  return (
    <Status shape={shape} tinted={!calm} calm={calm}>
      {word}
    </Status>
  )
}

/** The tags of languages. */
export function Languages({ of }: { of: readonly Language[] }) {
  return (
    <>
      {of.map((language) =>
        language === 'python' ? (
          <abbr key={language} class="tag py" title="Python">
            Py
          </abbr>
        ) : (
          <abbr key={language} class="tag ts" title="TypeScript">
            TS
          </abbr>
        ),
      )}
    </>
  )
}
