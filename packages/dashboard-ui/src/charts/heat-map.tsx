import { useState } from 'preact/hooks'
import type { HeatmapData } from '@arq-ts/dashboard/api'
import { digits, number } from '../format/number.ts'
import { brief } from '../format/duration.ts'
import { clock, moment, zoneShift } from '../format/time.ts'
import { Behind } from './behind.tsx'
import { level, lowerBound, percentileLine, trimmed } from './heat.ts'
import { labelWidth, timeTicks } from './scale.ts'
import { useWidth } from './use-width.ts'

/** A cell of a heat map. */
export interface Cell {
  column: number
  row: number
}

interface Props {
  of: HeatmapData
  cell: Cell | null
  pick: (cell: Cell) => void
  marks: { atMs: number; name: string }[]
}

/** Run times by time and duration, on a logarithmic scale. It is one tab stop; arrows move the ringed cell. */
export function HeatMap({ of, cell, pick, marks }: Props) {
  const [ref, width] = useWidth(760)
  const { first, last, most } = trimmed(of)
  const [at, setAt] = useState<Cell | null>(cell)
  const rows = last - first + 1
  const size = Math.max(9, Math.min(18, 260 / rows))
  const height = rows * size
  const left = 56
  const line = percentileLine(of, 0.95)
  const newest = line.findLast((value) => value !== null) ?? null
  const end = newest === null ? '' : `p95 ${brief(newest)}`
  const right = labelWidth(end) + 14
  const step = (width - left - right) / of.counts.length
  const top = 22
  const x = (column: number) => left + column * step
  const y = (row: number) => (last - row) * size
  const toMs = of.fromMs + of.counts.length * of.stepMs
  const ring = at ?? cell
  /** Place of a duration among the rows, which have equal ratios. */
  const place = (ms: number) => {
    const row = of.boundsMs.findIndex((bound) => bound === null || ms < bound)
    const upper = of.boundsMs[row]
    const lower = lowerBound(of, row)
    const within = upper && lower > 0 ? Math.log(ms / lower) / Math.log(upper / lower) : 0.5
    return (last - row + 1 - within) * size
  }
  const points = line.map((value, i) =>
    value === null ? null : `${(x(i) + step / 2).toFixed(1)} ${Math.min(height, Math.max(0, place(value))).toFixed(1)}`,
  )
  const path = points
    .map((point, i) => (point === null ? '' : `${i === 0 || points[i - 1] === null ? 'M' : 'L'}${point}`))
    .join('')

  const choose = (next: Cell) => {
    const clamped = {
      column: Math.min(Math.max(next.column, 0), of.counts.length - 1),
      row: Math.min(Math.max(next.row, first), last),
    }
    setAt(clamped)
    pick(clamped)
  }
  const keys = (event: KeyboardEvent) => {
    const from = ring ?? { column: of.counts.length - 1, row: last }
    const moves: Record<string, Cell> = {
      ArrowLeft: { column: from.column - 1, row: from.row },
      ArrowRight: { column: from.column + 1, row: from.row },
      ArrowUp: { column: from.column, row: from.row + 1 },
      ArrowDown: { column: from.column, row: from.row - 1 },
      Home: { column: 0, row: from.row },
      End: { column: of.counts.length - 1, row: from.row },
    }
    const next = moves[event.key]
    if (!next) return
    event.preventDefault()
    choose(next)
  }
  const click = (event: MouseEvent) => {
    const box = (event.currentTarget as Element).getBoundingClientRect()
    const column = Math.floor((event.clientX - box.left - left) / step)
    const row = last - Math.floor((event.clientY - box.top - top) / size)
    if (column >= 0 && column < of.counts.length && row >= first && row <= last) choose({ column, row })
  }
  const words = ring
    ? `${cellWords(of, ring)}: ${digits(of.counts[ring.column]?.[ring.row] ?? 0, 'job')}`
    : 'no cell is chosen'
  return (
    <figure class="chart heat">
      <div class="plot" ref={ref}>
        <svg
          height={height + top + 22}
          tabIndex={0}
          role="application"
          aria-roledescription="heat map"
          aria-label={`Run times; arrows move the cell. ${words}`}
          onKeyDown={keys}
          onClick={click}
        >
          <g transform={`translate(0 ${top})`}>
            {rowLabels(of, first, last, size).map(({ row, ms }) => (
              <g key={row}>
                <line class="base" x1={left - 4} x2={left} y1={y(row) + 0.5} y2={y(row) + 0.5} />
                <text x={left - 8} y={y(row) + 4} text-anchor="end">
                  {brief(ms)}
                </text>
              </g>
            ))}
            <line class="base" x1={left} x2={width - right} y1={height + 0.5} y2={height + 0.5} />
            {of.counts.map((column, c) =>
              column.map((count, row) =>
                count > 0 && row >= first ? (
                  <rect
                    key={`${c} ${row}`}
                    class={`h${level(count, most)}`}
                    x={x(c)}
                    width={Math.max(1, step - 1)}
                    y={y(row)}
                    height={size - 1}
                  />
                ) : null,
              ),
            )}
            {timeTicks(of.fromMs, toMs, Math.max(2, Math.floor((width - left) / 110)), zoneShift(toMs), of.stepMs).map(
              (time) => (
                <text key={time} x={x((time - of.fromMs) / of.stepMs)} y={height + 18} text-anchor="middle">
                  {clock(time)}
                </text>
              ),
            )}
            {marks
              .filter((mark) => mark.atMs > of.fromMs && mark.atMs < toMs)
              .slice(-3)
              .map((mark) => (
                <g key={mark.atMs}>
                  <line
                    class="dots"
                    x1={x((mark.atMs - of.fromMs) / of.stepMs)}
                    x2={x((mark.atMs - of.fromMs) / of.stepMs)}
                    y1={-4}
                    y2={height}
                  />
                  <text class="said" x={x((mark.atMs - of.fromMs) / of.stepMs)} y={-8} text-anchor="middle">
                    {mark.name}
                  </text>
                </g>
              ))}
            <path class="under" d={path} />
            <path class="over" d={path} />
            {newest !== null && (
              <text class="now" x={width - right + 8} y={Math.min(height, Math.max(6, place(newest))) + 4}>
                {end}
              </text>
            )}
            {ring && ring.row >= first && ring.row <= last && (
              <>
                <rect
                  class="ring-out"
                  x={x(ring.column) - 1}
                  y={y(ring.row) - 1}
                  width={step + 1}
                  height={size + 1}
                  rx={2}
                />
                <rect
                  class="ring"
                  x={x(ring.column) - 1}
                  y={y(ring.row) - 1}
                  width={step + 1}
                  height={size + 1}
                  rx={2}
                />
              </>
            )}
          </g>
        </svg>
      </div>
      <Behind
        head={[
          'Time',
          ...Array.from(
            { length: rows },
            (_, i) => `< ${of.boundsMs[first + i] === null ? '∞' : brief(of.boundsMs[first + i])}`,
          ),
        ]}
        rows={() =>
          of.counts.map((column, c) => [
            moment(of.fromMs + c * of.stepMs, toMs),
            ...Array.from({ length: rows }, (_, i) => number(column[first + i] ?? 0)),
          ])
        }
      />
    </figure>
  )
}

/** A cell in words: its times and durations. */
export function cellWords(of: HeatmapData, { column, row }: Cell): string {
  const from = of.fromMs + column * of.stepMs
  const upper = of.boundsMs[row]
  const lower = lowerBound(of, row)
  return `${clock(from)} to ${clock(from + of.stepMs)}, ${upper === null || upper === undefined ? `over ${brief(lower)}` : `${brief(lower)} to ${brief(upper)}`}`
}

/** Labels of rows, at least 22 px apart. */
function rowLabels(of: HeatmapData, first: number, last: number, size: number): { row: number; ms: number }[] {
  const every = Math.max(1, Math.ceil(22 / size))
  const labels: { row: number; ms: number }[] = []
  for (let row = first; row <= last; row += every) {
    const ms = of.boundsMs[row]
    if (typeof ms === 'number') labels.push({ row, ms })
  }
  return labels
}

/** The scale of the colours. */
export function HeatScale({ most }: { most: number }) {
  return (
    <span class="scale">
      1 job
      <svg width={108} height={12} aria-hidden="true">
        {[1, 2, 3, 4, 5, 6].map((n) => (
          <rect key={n} class={`h${n}`} x={(n - 1) * 18} width={14} height={12} rx={2} />
        ))}
      </svg>
      {number(most)} in a cell
    </span>
  )
}
