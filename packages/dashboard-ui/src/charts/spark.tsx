import { linePath } from './scale.ts'

type Tone = 'other' | 'warning' | 'failing' | 'accent'

/** A line without axes, scaled to its own largest value; the number stands next to it. */
export function Sparkline({
  values,
  tone = 'other',
  label,
}: {
  values: (number | null)[]
  tone?: Tone
  label: string
}) {
  const [width, height] = [104, 22]
  const top = Math.max(1, ...values.map((value) => value ?? 0))
  const x = (i: number) => 1 + (i / Math.max(1, values.length - 1)) * (width - 6)
  const y = (value: number) => height - 3 - (value / top) * (height - 8)
  const last = values.findLastIndex((value) => value !== null)
  return (
    <svg class={`spark chart tone-${tone}`} width={width} height={height} role="img" aria-label={label}>
      <line class="grid" x1={0} x2={width} y1={height - 1.5} y2={height - 1.5} />
      <path class={`line tone-${tone}`} d={linePath(values, x, y)} />
      {last >= 0 && <circle class="dot" cx={x(last)} cy={y(values[last]!)} r={2.25} />}
    </svg>
  )
}

/** Bars without axes over a dashed base line. */
export function Sparkbars({
  values,
  tone = 'other',
  label,
  width = 108,
}: {
  values: (number | null)[]
  tone?: Tone
  label: string
  width?: number
}) {
  const height = 24
  const top = Math.max(1, ...values.map((value) => value ?? 0))
  const step = width / Math.max(1, values.length)
  return (
    <svg class={`spark chart tone-${tone}`} width={width} height={height} role="img" aria-label={label}>
      <line class="dots" x1={0} x2={width} y1={height - 0.5} y2={height - 0.5} />
      {values.map((value, i) =>
        value ? (
          <rect
            key={i}
            class="bar"
            x={i * step}
            width={Math.max(1.5, Math.min(6, step * 0.72))}
            y={height - 1 - Math.max(2, (value / top) * (height - 2))}
            height={Math.max(2, (value / top) * (height - 2))}
          />
        ) : null,
      )}
    </svg>
  )
}
