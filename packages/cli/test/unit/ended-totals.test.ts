import { AggregatorRegistry, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { EndedTotals } from '../../src/metrics/ended-totals.ts'
import type { ReadMetric } from '../../src/metrics/ended-totals.ts'

/** The metrics of a process that ran jobs of these functions. */
async function processOf(...functions: string[]): Promise<ReadMetric[]> {
  const registry = new Registry()
  const registers = [registry]
  const done = new Counter({ name: 'done', help: 'h', labelNames: ['queue', 'function'], registers })
  const took = new Histogram({ name: 'took', help: 'h', labelNames: ['function'], buckets: [1, 2], registers })
  new Gauge({ name: 'at_work', help: 'h', registers }).set(3)
  for (const name of functions) {
    done.inc({ queue: 'a', function: name })
    took.observe({ function: name }, 1.5)
  }
  return (await registry.getMetricsAsJSON()) as unknown as ReadMetric[]
}

const textOf = (parts: readonly (readonly ReadMetric[])[]) =>
  AggregatorRegistry.aggregate(parts as object[][]).metrics()

test('counters and histograms of ended processes add up to those of live ones; gauges end with their process', async () => {
  const ended = new EndedTotals()
  ended.add(await processOf('f', 'g'))
  ended.add(await processOf('f'))
  ended.add([])
  const text = await textOf([ended.read(), await processOf('f', 'h')])
  expect(text).toContain('done{queue="a",function="f"} 3')
  expect(text).toContain('done{queue="a",function="g"} 1')
  expect(text).toContain('done{queue="a",function="h"} 1')
  expect(text).toContain('took_bucket{le="1",function="f"} 0')
  expect(text).toContain('took_bucket{le="2",function="f"} 3')
  expect(text).toContain('took_sum{function="f"} 4.5')
  expect(text).toContain('took_count{function="g"} 1')
  expect(text).toContain('at_work 3')
  expect(await textOf([ended.read()])).not.toContain('at_work')
})

test('the totals that were read stay as they were', async () => {
  const ended = new EndedTotals()
  const first = await processOf('f')
  ended.add(first)
  const read = ended.read()
  ended.add(first)
  expect(read.find((metric) => metric.name === 'done')!.values[0]!.value).toBe(1)
  expect(first.find((metric) => metric.name === 'done')!.values[0]!.value).toBe(1)
})
