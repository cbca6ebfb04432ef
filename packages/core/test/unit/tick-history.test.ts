import { describe, expect, test } from 'vitest'
import { cronHistory } from '../../src/cron/tick-history.ts'
import type { WorkerInfo } from '../../src/fleet/worker-info.ts'
import type { RecordedTick } from '../../src/recorder/records.ts'

const HOUR = 3_600_000
/** On the hour. */
const NOW = Math.floor(1_800_000_000_000 / HOUR) * HOUR + 10 * 60_000
/** With arq's microseconds: `microsecond=123456` is the default. */
const hoursAgo = (hours: number) => Math.floor(NOW / HOUR) * HOUR - hours * HOUR + 123

const ran = (
  atMs: number,
  { delayMs = 5, tookMs = 1_000, ...other }: Partial<RecordedTick> & { delayMs?: number; tookMs?: number } = {},
): RecordedTick => ({
  atMs,
  outcome: 'complete',
  jobId: `cron:hourly:${atMs}`,
  queueName: 'q',
  startedMs: atMs + delayMs,
  finishedMs: atMs + delayMs + tookMs,
  workerId: 'w',
  language: 'typescript',
  ...other,
})
const worker = (running: string[] = [], schedule = 'minute=0') =>
  ({
    id: 'w',
    queues: ['q'],
    running: running.map((jobId) => ({ jobId })),
    cron: [{ name: 'cron:hourly', schedule, nextMs: hoursAgo(-1) }],
  }) as unknown as WorkerInfo

const history = (ticks: readonly RecordedTick[], workers = [worker()]) =>
  cronHistory(workers, new Map([['cron:hourly', ticks]]), NOW)[0]!

describe('the history of a cron job', () => {
  test('says how late each tick started, how long it ran, and which began while the one before ran', () => {
    const { ticks, missed } = history([
      ran(hoursAgo(2), { tookMs: HOUR + 60_000 }),
      ran(hoursAgo(1)),
      ran(hoursAgo(0), { delayMs: 90_000 }),
    ])
    expect(ticks.map(({ delayMs, tookMs, isLate, overlaps }) => [delayMs, tookMs, isLate, overlaps])).toEqual([
      [5, HOUR + 60_000, false, false],
      [5, 1_000, false, true],
      [90_000, 1_000, true, false],
    ])
    expect(missed).toEqual([])
  })

  test('names the ticks of the schedule that left no trace, the latest too', () => {
    expect(history([ran(hoursAgo(5)), ran(hoursAgo(3))]).missed).toEqual([4, 2, 1, 0].map(hoursAgo))
  })

  test.each([
    ['still runs', [worker([`cron:hourly:${hoursAgo(0)}`])], [ran(hoursAgo(1))]],
    [
      'a worker left out',
      [worker()],
      [ran(hoursAgo(1)), ran(hoursAgo(0), { outcome: 'overlap', startedMs: null, finishedMs: null })],
    ],
    ['another schedule of the function may have had', [worker(), worker([], 'minute=30')], [ran(hoursAgo(3))]],
    ['nothing is recorded of', [worker()], []],
  ])('accuses no tick that %s', (_why, workers, ticks) => {
    expect(history(ticks, workers).missed).toEqual([])
  })

  test('accuses no tick of any pause', () => {
    const span = (hours: number) => ({ sinceMs: hoursAgo(hours) - 1, untilMs: hoursAgo(hours) + 1 })
    const pauses = new Map([['cron:hourly', { ...span(1), earlier: [span(4), span(2)] }]])
    const recorded = new Map([['cron:hourly', [ran(hoursAgo(5))]]])
    expect(cronHistory([worker()], recorded, NOW, pauses)[0]!.missed).toEqual([3, 0].map(hoursAgo))
  })

  test('shows a cron job that no live worker has by its ticks alone', () => {
    const [job] = cronHistory([], new Map([['cron:py', [ran(hoursAgo(2), { language: 'python' })]]]), NOW)
    expect(job).toMatchObject({ name: 'cron:py', language: 'python', schedule: null, queues: ['q'], missed: [] })
  })
})
