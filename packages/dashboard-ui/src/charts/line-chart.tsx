import { signal } from '@preact/signals'
import { clock, moment, zoneShift } from '../format/time.ts'
import { shown } from '../format/names.ts'
import { Behind } from './behind.tsx'
import { labelWidth, linear, linePath, logarithmic, place, timeTicks } from './scale.ts'
import { useWidth } from './use-width.ts'

/** One line, or a row of bars, of a chart. */
export interface Series {
  name: string
  values: (number | null)[]
  tone: 'typescript' | 'python' | 'other' | 'warning' | 'failing' | 'accent'
  bars?: boolean
}

interface Props {
  title: string
  unit: string
  fromMs: number
  stepMs: number
  /** Number of points; that of the longest line by default. */
  length?: number
  series: Series[]
  /** Deploys and other moments, each a dotted line with its name. */
  marks?: { atMs: number; name: string }[]
  log?: boolean
  format: (value: number) => string
  axis?: (value: number) => string
  height?: number
  /** True until the data has arrived: until then an empty chart means nothing and shows no scale. */
  waiting?: boolean
}

/** The moment under the pointer, shared by all charts of the page: each shows its values there. */
const pointed = signal<number | null>(null)

/** Lines over time. Each ends in its name and newest value; the pointer shows earlier values at the same place. */
export function LineChart({
  title,
  unit,
  fromMs,
  stepMs,
  length: points = 1,
  series,
  marks = [],
  log,
  format,
  axis = format,
  height = 104,
  waiting = false,
}: Props) {
  const [ref, width] = useWidth()
  const length = Math.max(points, ...series.map((line) => line.values.length))
  const toMs = fromMs + (length - 1) * stepMs
  const values = series.flatMap((line) => line.values).filter((value) => value !== null)
  const largest = Math.max(0, ...values)
  const { y, ticks } = log ? logarithmic(values, height) : linear(largest, height)

  const shownAt =
    pointed.value !== null && pointed.value >= fromMs && pointed.value <= toMs + stepMs ? pointed.value : null
  const index = shownAt === null ? length - 1 : Math.min(length - 1, Math.round((shownAt - fromMs) / stepMs))
  const newest = (line: Series) =>
    (shownAt === null ? line.values.findLast((value) => value !== null) : line.values[index]) ?? null
  const ends = series
    .map((line) => ({ line, value: newest(line) }))
    .filter(({ value }) => value !== null || shownAt !== null)
  const text = (name: string, value: number | null) => `${shown(name)} ${value === null ? '–' : format(value)}`

  const left = Math.max(...ticks.map((tick) => labelWidth(axis(tick)))) + 8
  const right = Math.min(
    width * 0.36,
    Math.max(24, ...ends.map(({ line, value }) => labelWidth(text(line.name, value)) + 10)),
  )
  const plot = Math.max(40, width - left - right)
  const x = (i: number) => left + (length === 1 ? plot : (i / (length - 1)) * plot)
  const xTime = (at: number) => left + (toMs === fromMs ? plot : ((at - fromMs) / (toMs - fromMs)) * plot)
  const top = 22
  const order = [...series].sort((a, b) => weight(a) - weight(b))
  const ys = place(
    ends.map(({ value }) => y(value ?? 0)),
    14,
    -4,
    height,
  )
  const times = timeTicks(
    fromMs,
    toMs,
    Math.max(2, Math.floor(plot / 64)),
    zoneShift(toMs),
    (toMs - fromMs) * (40 / plot),
  )

  const move = (event: PointerEvent) => {
    const box = (event.currentTarget as Element).getBoundingClientRect()
    const at = fromMs + ((event.clientX - box.left - left) / plot) * (toMs - fromMs)
    pointed.value = at < fromMs || at > toMs ? null : at
  }

  return (
    <figure class="chart" aria-busy={waiting}>
      <figcaption>
        <h2>{title}</h2>
        <span>{unit}</span>
      </figcaption>
      <div class="plot" ref={ref}>
        <svg
          height={height + top + 22}
          role="img"
          aria-label={`${title}, ${unit}: ${ends.map(({ line, value }) => text(line.name, value)).join(', ') || 'nothing recorded'}`}
          onPointerMove={move}
          onPointerLeave={() => (pointed.value = null)}
        >
          <g transform={`translate(0 ${top})`}>
            <rect x={left} y={-top} width={plot} height={height + top} fill="transparent" />
            {ticks.map((tick, i) => (
              <g key={tick}>
                <line
                  class={i || log ? 'grid' : 'base'}
                  x1={left}
                  x2={left + plot}
                  y1={Math.round(y(tick)) + 0.5}
                  y2={Math.round(y(tick)) + 0.5}
                />
                {!(waiting && values.length === 0) && (
                  <text x={left - 8} y={y(tick) + 4} text-anchor="end">
                    {axis(tick)}
                  </text>
                )}
              </g>
            ))}
            {log && <line class="base" x1={left} x2={left + plot} y1={height + 0.5} y2={height + 0.5} />}
            {times.map((at) => (
              <text key={at} x={xTime(at)} y={height + 18} text-anchor="middle">
                {toMs - fromMs > 26 * 3_600_000 ? moment(at, 0).split(' ').slice(0, 2).join(' ') : clock(at)}
              </text>
            ))}
            <text
              class="now"
              x={shownAt === null ? left + plot : x(index)}
              y={height + 18}
              text-anchor="middle"
              paint-order="stroke"
            >
              {shownAt === null ? 'now' : ''}
            </text>
            {named(marks, fromMs, toMs).map((mark) => (
              <g key={mark.atMs}>
                <line
                  class="dots"
                  x1={Math.round(xTime(mark.atMs)) + 0.5}
                  x2={Math.round(xTime(mark.atMs)) + 0.5}
                  y1={-6}
                  y2={height}
                />
                <text
                  class="said"
                  x={Math.min(
                    Math.max(xTime(mark.atMs), left + labelWidth(mark.name) / 2),
                    width - labelWidth(mark.name) / 2,
                  )}
                  y={-10}
                  text-anchor="middle"
                >
                  {shown(mark.name)}
                </text>
              </g>
            ))}
            {order.map((line) =>
              line.bars ? (
                <g key={line.name} class={`tone-${line.tone}`}>
                  {line.values.map((value, i) =>
                    value ? (
                      <rect
                        key={i}
                        class="bar"
                        x={x(i) - barWidth(plot, length) / 2}
                        width={barWidth(plot, length)}
                        y={Math.min(y(value), height - 1)}
                        height={Math.max(1, height - y(value))}
                      />
                    ) : null,
                  )}
                </g>
              ) : (
                <path key={line.name} class={`line tone-${line.tone}`} d={linePath(line.values, x, y)} />
              ),
            )}
            {shownAt !== null && (
              <>
                <line
                  class="hair"
                  x1={Math.round(x(index)) + 0.5}
                  x2={Math.round(x(index)) + 0.5}
                  y1={-4}
                  y2={height}
                />
                <text class="now" x={x(index)} y={-10} text-anchor="middle">
                  {clock(fromMs + index * stepMs)}
                </text>
              </>
            )}
            {values.length === 0 && (
              <text class="said none" x={left + plot / 2} y={height / 2 + 4} text-anchor="middle" paint-order="stroke">
                {waiting ? '' : 'nothing recorded'}
              </text>
            )}
            {ends.map(({ line, value }, i) => (
              <text key={line.name} class={`end tone-${line.tone}`} x={left + plot + 8} y={ys[i]! + 4}>
                {fit(text(line.name, value), right - 10)}
                <title>{text(line.name, value)}</title>
              </text>
            ))}
          </g>
        </svg>
      </div>
      <Behind
        head={['Time', ...series.map((line) => line.name)]}
        rows={() =>
          Array.from({ length }, (_, i) => [
            moment(fromMs + i * stepMs, toMs),
            ...series.map((line) =>
              line.values[i] === null || line.values[i] === undefined ? '–' : format(line.values[i]),
            ),
          ])
        }
      />
    </figure>
  )
}

const barWidth = (plot: number, length: number): number => Math.max(1.5, Math.min(8, (plot / length) * 0.72))

/** Findings are drawn last, so that no grey line covers them. */
const weight = (line: Series): number => (line.tone === 'failing' ? 2 : line.tone === 'warning' ? 1 : 0)

/** Marks within the chart, the newest two. */
function named(marks: { atMs: number; name: string }[], from: number, to: number): { atMs: number; name: string }[] {
  return marks.filter((mark) => mark.atMs >= from && mark.atMs <= to).slice(-2)
}

/** The text, with an ellipsis in the middle of its name where it is too wide; its value stays. */
function fit(text: string, width: number): string {
  if (labelWidth(text) <= width) return text
  const space = text.lastIndexOf(' ', text.length - 4)
  const [name, value] = [text.slice(0, space), text.slice(space)]
  let keep = name.length
  while (keep > 2 && labelWidth(`${name.slice(0, keep)}…${value}`) > width) keep--
  return `${name.slice(0, keep)}…${value}`
}
