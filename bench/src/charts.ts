import * as echarts from 'echarts'
import type { Row } from './bench.ts'
import type { Report } from './report.ts'

const OURS = '#2563eb'
const FLOOR = '#94a3b8'
const OTHERS = '#cbd5e1'
const BAR_PX = 26

/** A chart per row: its file name and its SVG. */
export function charts({ rows }: Report): [name: string, svg: string][] {
  return rows.filter(({ cells }) => cells.length > 1).map((row) => [row.id, barChart(row)])
}

function barChart({ title, unit, better, cells }: Row): string {
  const bars = cells
    .flatMap(({ contender, figures }) => (figures ? { contender, value: figures['value']!.median } : []))
    .sort((a, b) => (better === 'higher' ? a.value - b.value : b.value - a.value))
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: 760, height: 90 + bars.length * BAR_PX })
  chart.setOption({
    animation: false,
    title: { text: title, subtext: `${unit}, ${better} is better`, left: 0, textStyle: { fontSize: 15 } },
    grid: { left: 8, right: 80, top: 54, bottom: 8, containLabel: true },
    xAxis: { type: 'value', splitLine: { lineStyle: { color: '#e2e8f0' } }, axisLabel: { hideOverlap: true } },
    yAxis: { type: 'category', data: bars.map(({ contender }) => contender), axisTick: { show: false } },
    series: [
      {
        type: 'bar',
        barMaxWidth: 16,
        label: {
          show: true,
          position: 'right',
          formatter: ({ value }: { value: unknown }) =>
            Number(value).toLocaleString('en', { maximumSignificantDigits: 3 }),
        },
        data: bars.map(({ contender, value }) => ({ value, itemStyle: { color: colourOf(contender) } })),
      },
    ],
  })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return `${withoutHover(svg)}\n`
}

/** A picture has no hover; the names of its classes are counted up, and would differ from run to run. */
function withoutHover(svg: string): string {
  return svg.replace(/<style[^]*<\/style>\s*/, '').replaceAll(/ class="zr[^"]*"/g, '')
}

function colourOf(contender: string): string {
  if (contender.startsWith('arq-ts')) return OURS
  return contender === 'floor' ? FLOOR : OTHERS
}
