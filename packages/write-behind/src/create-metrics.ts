import type { CreateMetrics } from '@arq-ts/core'
import { checkOptions } from '@arq-ts/core/task-kit'
import type { Counted, StoreFigures } from './figures.ts'
import { packageSchema } from './options.ts'
import { Store } from './store.ts'
import type { RedisTarget } from '@arq-ts/core/task-kit'

const GAUGES: readonly [name: string, help: string, value: (figures: StoreFigures) => number][] = [
  ['arq_cache_dirty_keys', 'Keys whose value waits to be persisted, dead ones included.', ({ dirty }) => dirty],
  ['arq_cache_dead_keys', 'Keys whose value failed for good and is kept.', ({ dead }) => dead],
  [
    'arq_cache_oldest_wait_seconds',
    'Seconds that the oldest write has waited; 0 when none waits. Without dead keys.',
    ({ oldestMs }) => oldestMs / 1_000,
  ],
  [
    'arq_cache_overdue_seconds',
    'Seconds that the most overdue value is past its time; 0 when none is.',
    ({ overdueMs }) => overdueMs / 1_000,
  ],
]
const COUNTERS: readonly [name: string, help: string, field: Counted][] = [
  ['arq_cache_writes_total', 'Writes accepted.', 'writes'],
  ['arq_cache_persisted_total', 'Values made durable; writes of a key join.', 'persisted'],
  ['arq_cache_failures_total', 'Persister runs that failed, each try of each key counted.', 'failures'],
]

/**
 * Prometheus metrics of a cache, asked of Redis when they are scraped; `arq-ts worker --metrics-port` serves them where the
 * configuration names this package. They are of the whole fleet, and the same from each process.
 *
 * @throws OptionsError
 */
export const createMetrics: CreateMetrics = (options, { keyPrefix, redis }) => {
  checkOptions('@arq-ts/write-behind', packageSchema, options)
  const store = new Store(redis as RedisTarget, keyPrefix)
  return {
    text: async () => {
      const figures = await store.figures()
      return [
        ...GAUGES.map(([name, help, value]) => series(name, help, 'gauge', value(figures))),
        ...COUNTERS.map(([name, help, field]) => series(name, help, 'counter', figures[field])),
      ].join('')
    },
    close: () => store.close(),
  }
}

function series(name: string, help: string, type: string, value: number): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name} ${value}\n`
}
