/** Answers of a made-up night, for work on the pages without a fleet. Never shipped, and no test stands on it. */
import type * as api from '@arq-ts/dashboard/api'

const minute = 60_000
const cost = { commands: 14, tookMs: 3 }
let seed = 7
const random = () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647
const wave = (base: number, spread: number, length = 61) =>
  Array.from({ length }, (_, i) => Math.round(base + Math.sin(i / 5) * spread + (random() - 0.5) * spread))
const now = () => Date.now()

const queue = (queueName: string, more: Partial<api.QueueRow>): api.QueueRow => ({
  queueName,
  pending: 0,
  deferred: 0,
  running: 8,
  complete: 90_210,
  failed: 412,
  aborted: 0,
  dead: 0,
  oldestDueMs: now() - 300,
  nextDueMs: now() + 3_000,
  paused: false,
  languages: ['arq-ts'],
  workers: 2,
  slots: 20,
  python: false,
  exact: true,
  state: 'on-time',
  rates: { inPerMinute: 70, outPerMinute: 71, netPerMinute: -1, overMs: 120_000 },
  emptiesAt: 'empty',
  problems: [],
  ...more,
})
const queues = () => [
  queue('mail', {
    pending: 8_412,
    deferred: 1_960,
    oldestDueMs: now() - 11 * minute,
    languages: ['python'],
    python: true,
    workers: 0,
    state: 'falling-behind',
    rates: { inPerMinute: 801, outPerMinute: 446, netPerMinute: 355, overMs: 120_000 },
    emptiesAt: 'never',
    dead: 412,
  }),
  queue('default', {
    pending: 1_520,
    deferred: 3_204,
    languages: ['arq-ts', 'python'],
    rates: { inPerMinute: 928, outPerMinute: 1_012, netPerMinute: -84, overMs: 120_000 },
    emptiesAt: now() + 18 * minute,
  }),
  queue('arq:queue', {
    pending: 388,
    deferred: 12,
    oldestDueMs: now() - 1_100,
    languages: ['python', 'arq-ts'],
    rates: { inPerMinute: 195, outPerMinute: 273, netPerMinute: -78, overMs: 120_000 },
    emptiesAt: now() + 5 * minute,
  }),
  queue('high_priority', { pending: 4, deferred: 1, oldestDueMs: now() - 9 }),
]
export const overview = (): api.Overview => ({
  nowMs: now(),
  headlines: [
    {
      kind: 'failing',
      severity: 'error',
      subject: { type: 'function', name: 'send_mail' },
      text: 'send_mail fails in 38% of its tries. 412 jobs failed for good, 1,960 wait to retry.',
      sinceMs: now() - 23 * minute,
    },
    {
      kind: 'growing',
      severity: 'warning',
      subject: { type: 'queue', name: 'mail' },
      text: 'mail grows by 355 jobs a minute and never empties at this rate. Four more Python workers would empty it by 02:49.',
      sinceMs: now() - 22 * minute,
    },
    {
      kind: 'unserved',
      severity: 'warning',
      subject: { type: 'function', name: 'embed_documents' },
      text: '38 embed_documents jobs wait in default. No live worker has the function.',
      sinceMs: now() - 16 * minute,
    },
  ],
  queues: queues(),
  totals: { pending: 10_324, deferred: 5_177, running: 32, dead: 412, workers: 3, pythonWorkers: 2 },
  unserved: [{ functionName: 'embed_documents', queueName: 'default', waiting: 38 }],
  incomplete: [],
  cost,
})
export const bootstrap = (): api.Bootstrap => ({
  api: 1,
  version: '0.1.0',
  title: 'production',
  redis: 'redis://redis-1:6379/1',
  basePath: '',
  user: { name: 'anna', role: 'operator' },
  readOnly: false,
  actions: [
    'enqueue',
    'retry',
    'abort',
    'remove',
    'clone',
    'run-now',
    'move',
    'pause',
    'resume',
    'run-cron',
    'mute',
    'resolve',
    'reopen',
    'repair',
  ],
  nowMs: now(),
  queues: queues().map((q) => q.queueName),
  badges: { errorsOpen: 2, unserved: 1, dead: 412 },
  features: { recorder: true, progress: true, stream: true },
  traceUrl: null,
})
export const forecast = (): api.Forecast => {
  const from = Math.floor(now() / (30 * minute)) * 30 * minute
  return {
    queueName: null,
    nowMs: now(),
    slotMs: 30 * minute,
    dueNow: 10_324,
    later: 90,
    capacityPerSlot: 54_000,
    capacityBasis: 'Measured over the last two minutes',
    emptiesAt: null,
    workersNeeded: 4,
    limits: [],
    cost,
    slots: Array.from({ length: 48 }, (_, i) => ({
      fromMs: from + i * 30 * minute,
      due: Math.round(5_000 + 6_000 * Math.sin((i / 48) * Math.PI) + random() * 900),
      ticks: i === 9 ? 64_700 : i === 2 ? 32_000 : i === 19 ? 18_000 : 300,
      cron:
        i === 9
          ? [{ name: 'cron:daily_digest', ticks: 1 }]
          : i === 2
            ? [{ name: 'cron:reindex', ticks: 1 }]
            : i === 19
              ? [{ name: 'cron:invoices', ticks: 1 }]
              : [],
    })),
  }
}
export const series = (query: URLSearchParams): api.SeriesAnswer => {
  const metric = query.get('metric')!
  const by = query.get('by')!
  const ramp = (base: number, top: number) =>
    wave(base, base / 8).map((value, i) => (i < 35 ? value : Math.round(base + ((top - base) * (i - 35)) / 25)))
  const lines: Record<string, Record<string, number[]>> = {
    'ended language': {
      'arq-ts': wave(1_204, 60),
      python: wave(846, 40).map((value, i) => (i > 35 ? value - Math.min(260, (i - 35) * 30) : value)),
    },
    'failed total': { total: wave(2, 2).map((value, i) => (i > 36 ? 160 + value * 6 : Math.max(0, value - 2))) },
    'wait-p95 queue': {
      mail: wave(500, 50).map((value, i) => (i < 35 ? value : Math.min(660_000, value * 1.6 ** (i - 35)))),
      'arq:queue': wave(500, 60),
      default: wave(90, 9),
      high_priority: wave(9, 1),
    },
    'depth queue': {
      mail: ramp(230, 8_412),
      default: wave(1_500, 120),
      'arq:queue': wave(388, 50),
      high_priority: wave(4, 3),
    },
    'failed function': {
      send_mail: wave(2, 2).map((value, i) => (i > 36 ? 160 + value * 6 : 0)),
      resize_image: wave(3, 2),
      delete_collection: wave(0, 1),
      persist_cache: wave(0, 1),
    },
    'ended function': {
      send_mail: wave(446, 20),
      resize_image: wave(700, 30),
      delete_collection: wave(300, 20),
      persist_cache: wave(400, 10),
    },
  }
  const found = lines[`${metric} ${by}`] ?? lines[`${metric.replace(/p\d+/, 'p95')} ${by}`] ?? {}
  return {
    available: true,
    metric,
    by,
    fromMs: now() - 60 * minute,
    stepMs: minute,
    length: 61,
    cost,
    series: Object.entries(found).map(([name, values]) => ({
      name,
      language:
        name === 'python' || name === 'send_mail' || name === 'delete_collection'
          ? 'python'
          : name === 'total' || by === 'queue'
            ? null
            : 'arq-ts',
      values,
    })),
  }
}
export const events = (): api.EventList => ({
  available: true,
  cursor: null,
  events: [
    { id: '1', atMs: now() - 23 * minute, kind: 'deploy', subject: 'mailer', detail: '2.14.0', language: 'python' },
  ],
})
