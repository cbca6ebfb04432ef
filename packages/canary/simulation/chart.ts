import type { Characteristics, Fault } from './characteristics.ts'
import { FAULT_NAMES } from './page.ts'

const [WIDTH, HEIGHT, TOP, BOTTOM] = [960, 380, 56, 60]
const COLOURS = ['#d1495b', '#edae49', '#00798c', '#30638e', '#5a3d5c']

/** A panel of the chart: a scale for each axis and its frame. */
interface Panel {
  left: number
  right: number
  title: string
  xTitle: string
  yTitle: string
  x: (value: number) => number
  y: (value: number) => number
  xTicks: [value: number, label: string][]
  yTicks: [value: number, label: string][]
}

/** The plot of the documentation, as SVG. */
export function chart({ errorRates, faults }: Characteristics): string {
  const log = (value: number, from: number, to: number) => Math.log(value / from) / Math.log(to / from)
  const at = (left: number, right: number) => (part: number) => left + part * (right - left)
  const vertical = (part: number) => HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)
  const looks: Panel = {
    left: 60,
    right: 450,
    title: 'Looks until roll-back: median, 99 % of runs dashed',
    xTitle: 'requests a minute to the new collection',
    yTitle: 'looks',
    x: (rate) => at(60, 450)(log(rate, 1, 3_000)),
    y: (value) => vertical(log(value, 1, 200)),
    xTicks: [1, 5, 20, 60, 300, 3_000].map((rate) => [rate, String(rate)]),
    yTicks: [1, 2, 3, 5, 10, 30, 100].map((value) => [value, String(value)]),
  }
  const shares: Panel = {
    left: 540,
    right: 850,
    title: 'Deployments rolled back, by true error rate (limit 5 %)',
    xTitle: 'true error rate',
    yTitle: 'rolled back',
    x: (rate) => at(540, 850)((rate - 0.01) / 0.09),
    y: vertical,
    xTicks: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((rate) => [rate / 100, `${rate} %`]),
    yTicks: [0, 0.25, 0.5, 0.75, 1].map((share) => [share, `${share * 100} %`]),
  }
  const names = Object.keys(FAULT_NAMES) as Fault[]
  const rates = [...new Set(errorRates.map(({ perMinute }) => perMinute))]
  const lines = [
    ...names.flatMap((fault, i) => {
      const of = faults.filter((each) => each.fault === fault)
      const points = (value: 'median' | 'p99'): [number, number][] =>
        of.flatMap((each) => (each[value] === null ? [] : [[looks.x(each.perMinute), looks.y(each[value])]]))
      const width = widthOf(i, names.length)
      return [line(points('median'), COLOURS[i]!, width), line(points('p99'), COLOURS[i]!, width, '5 4')]
    }),
    ...rates.map((perMinute, i) =>
      line(
        errorRates
          .filter((each) => each.perMinute === perMinute)
          .map((each) => [shares.x(each.errorRate), shares.y(each.rolledBack)]),
        COLOURS[i]!,
        widthOf(i, rates.length),
      ),
    ),
  ]
  const legend = [
    ...names.map((fault, i) => label(300, TOP + 16 + 18 * i, FAULT_NAMES[fault], COLOURS[i]!)),
    ...rates.map((rate, i) => label(862, TOP + 16 + 18 * i, `${rate}/min`, COLOURS[i]!)),
  ]
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>
${[looks, shares].map(frame).join('\n')}
${lines.join('\n')}
${legend.join('\n')}
</svg>
`
}

function frame({ left, right, title, x, xTicks, xTitle, y, yTicks, yTitle }: Panel): string {
  const bottom = HEIGHT - BOTTOM
  return [
    `<text x="${left}" y="24" font-size="13" font-weight="bold" fill="#222">${title}</text>`,
    `<text x="${left}" y="44" fill="#555">${yTitle}</text>`,
    `<text x="${(left + right) / 2}" y="${HEIGHT - 16}" text-anchor="middle" fill="#555">${xTitle}</text>`,
    ...yTicks.map(
      ([value, text]) =>
        `<path d="M${left} ${round(y(value))}H${right}" stroke="#ddd"/><text x="${left - 8}" y="${round(y(value) + 4)}" text-anchor="end" fill="#555">${text}</text>`,
    ),
    ...xTicks.map(
      ([value, text]) =>
        `<text x="${round(x(value))}" y="${bottom + 18}" text-anchor="middle" fill="#555">${text}</text>`,
    ),
  ].join('\n')
}

/** Each line is narrower than the one below it, so that both are seen where they run together. */
function widthOf(i: number, lines: number): number {
  return 2 + 1.5 * (lines - 1 - i)
}

function line(points: readonly [number, number][], colour: string, width: number, dash?: string): string {
  const path = points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${round(x)} ${round(y)}`).join('')
  return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="${width}"${dash ? ` stroke-dasharray="${dash}"` : ''}/>`
}

function label(x: number, y: number, text: string, colour: string): string {
  return `<path d="M${x} ${y - 4}h16" stroke="${colour}" stroke-width="3"/><text x="${x + 22}" y="${y}" fill="#222">${text}</text>`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
