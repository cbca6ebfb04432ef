import type { Forecast } from '@arq-ts/dashboard/api'
import { clock, moment, zoneShift } from '../format/time.ts'
import { digits, number } from '../format/number.ts'
import { shown } from '../format/names.ts'
import { Behind } from './behind.tsx'
import { labelWidth, linear, timeTicks } from './scale.ts'
import { useWidth } from './use-width.ts'

/** Arrivals that are already known, by half hour: deferred jobs and cron ticks, and the share above capacity. */
export function ForecastChart({ of, height = 84 }: { of: Forecast; height?: number }) {
  const [ref, width] = useWidth(1100)
  const { slots, capacityPerSlot: capacity, slotMs } = of
  const totals = slots.map((slot) => slot.due + slot.ticks)
  const largest = Math.max(...totals, 1)
  // A capacity far above all arrivals would flatten them; it is said in words then.
  const drawn = capacity !== null && capacity < largest * 3 ? capacity : null
  const { y, ticks } = linear(Math.max(largest, drawn ?? 0), height, 2)
  const small = width < 700
  const left = Math.max(...ticks.map((tick) => labelWidth(number(tick)))) + 8
  const note = capacity === null ? '' : `capacity ${number(capacity)}`
  const right = drawn !== null && !small ? labelWidth(note) + 16 : 8
  const plot = width - left - right
  const step = plot / Math.max(1, slots.length)
  const from = slots[0]?.fromMs ?? of.nowMs
  const to = from + slots.length * slotMs
  const x = (at: number) => left + ((at - from) / (to - from)) * plot
  const over = capacity === null ? -1 : totals.findIndex((total) => total > capacity)
  const top = over >= 0 ? 30 : 16
  const named = small ? [] : cronLabels(of, y, step)
  const sentence = over >= 0 ? overload(of, over) : ''
  const end = Math.min(Math.max(x(slots[over]?.fromMs ?? 0), left), width - labelWidth(sentence) * 1.08)

  return (
    <figure class="chart">
      <div class="plot" ref={ref}>
        <svg
          height={height + top + 22}
          role="img"
          aria-label={`Arrivals of the next 24 hours by half hour: at most ${number(largest)} in one. ${note}. ${sentence}`}
        >
          <g transform={`translate(0 ${top})`}>
            {ticks.map((tick, i) => (
              <g key={tick}>
                <line
                  class={i ? 'grid' : 'base'}
                  x1={left}
                  x2={left + plot}
                  y1={Math.round(y(tick)) + 0.5}
                  y2={Math.round(y(tick)) + 0.5}
                />
                <text x={left - 8} y={y(tick) + 4} text-anchor="end">
                  {number(tick)}
                </text>
              </g>
            ))}
            {slots.map((slot, i) => {
              const cut = capacity === null ? totals[i]! : Math.min(totals[i]!, capacity)
              const due = Math.min(slot.due, cut)
              return (
                <g key={slot.fromMs}>
                  <title>
                    {`${clock(slot.fromMs)} to ${clock(slot.fromMs + slotMs)}: ${digits(slot.due, 'due job')}, ${digits(slot.ticks, 'cron tick')}`}
                  </title>
                  <rect x={left + i * step} width={step} y={0} height={height} fill="transparent" />
                  {bar(left + i * step, step, y(due), y(0), 'tone-deferred')}
                  {bar(left + i * step, step, y(cut), y(due), 'tone-cron')}
                  {bar(left + i * step, step, y(totals[i]!), y(cut), 'tone-warning')}
                </g>
              )
            })}
            {drawn !== null && (
              <>
                <line class="dashes" x1={left} x2={left + plot} y1={y(drawn)} y2={y(drawn)} />
                <text
                  class="now"
                  x={small ? left + plot : left + plot + 8}
                  y={small ? y(drawn) - 5 : y(drawn) + 4}
                  text-anchor={small ? 'end' : 'start'}
                >
                  {note}
                </text>
              </>
            )}
            {named.map((label) => (
              <text key={label.x} class="said" x={x(label.x) + step + 6} y={label.y}>
                {label.text}
              </text>
            ))}
            {over >= 0 && !small && (
              <>
                <line
                  class="leader"
                  x1={x(slots[over]!.fromMs) + step / 2}
                  x2={x(slots[over]!.fromMs) + step / 2}
                  y1={y(totals[over]!) - 3}
                  y2={-14}
                />
                <text class="end tone-warning" x={end} y={-18}>
                  {sentence}
                </text>
              </>
            )}
            {timeTicks(from, to, Math.max(2, Math.floor(plot / 110)), zoneShift(from), slotMs).map((at) => (
              <text key={at} x={x(at)} y={height + 18} text-anchor="middle">
                {clock(at)}
              </text>
            ))}
          </g>
        </svg>
      </div>
      {small && sentence && <p class="warning">{sentence}</p>}
      <Behind
        head={['Half hour', 'Due', 'Cron ticks', 'Of them']}
        rows={() =>
          slots.map((slot) => [
            moment(slot.fromMs, of.nowMs),
            number(slot.due),
            number(slot.ticks),
            slot.cron.map(({ name, ticks }) => `${shown(name)} × ${ticks}`).join(', '),
          ])
        }
      />
    </figure>
  )
}

function bar(x: number, step: number, y: number, base: number, tone: string) {
  return base - y > 0.01 ? (
    <rect
      class={`bar ${tone}`}
      x={x + 0.75}
      width={Math.max(1, step - 1.5)}
      y={Math.min(y, base - 1)}
      height={Math.max(1, base - y)}
    />
  ) : null
}

/** The sentence over the first half hour that exceeds the capacity, and when its excess is gone. */
function overload({ slots, capacityPerSlot, slotMs }: Forecast, first: number): string {
  const slot = slots[first]!
  let left = 0
  let i = first
  for (; i < slots.length; i++) {
    left = Math.max(0, left + slots[i]!.due + slots[i]!.ticks - capacityPerSlot!)
    if (left === 0) break
  }
  const name = slot.cron[0] && slot.ticks > slot.due ? `${shown(slot.cron[0].name)} adds` : 'brings'
  const clear =
    i < slots.length ? `They clear by ${clock(slots[i]!.fromMs + slotMs)}.` : 'They do not clear within 24 hours.'
  return `${clock(slot.fromMs)} ${name} ${number(slot.due + slot.ticks)} jobs, more than the workers can drain. ${clear}`
}

/** Names of the largest cron bars, where they can be seen and have room. */
function cronLabels(
  { slots, capacityPerSlot }: Forecast,
  y: (value: number) => number,
  step: number,
): { x: number; y: number; text: string }[] {
  return slots
    .filter((slot, i) => {
      // A name stands next to its bar, so its neighbours must leave room.
      const covered = slots.slice(
        i + 1,
        i + 2 + Math.ceil(labelWidth(`00:00 ${shown(slot.cron[0]?.name ?? '')}`) / step),
      )
      const tallest = Math.max(0, ...covered.map(({ due, ticks }) => due + ticks))
      const free = y(tallest) - y(slot.due + slot.ticks) > 14
      return slot.cron[0] && free && (capacityPerSlot === null || slot.due + slot.ticks <= capacityPerSlot)
    })
    .sort((a, b) => b.ticks - a.ticks)
    .slice(0, 3)
    .map((slot) => ({
      x: slot.fromMs,
      y: y(slot.due + slot.ticks) + 8,
      text: `${clock(slot.fromMs)} ${shown(slot.cron[0]!.name)}`,
    }))
}
