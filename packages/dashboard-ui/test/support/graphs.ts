import { cron, defineTask, flow, Worker } from '@arq-ts/core'
import type { Client } from '@arq-ts/core'
import { eventually } from '@arq-ts/test-support'

const QUEUE = 'graphs'

/** Flows, schedules and limits: a flow that failed, one that waits, two schedules, a limit that holds jobs back. */
export interface GraphsAtWork {
  failedFlow: string
  waitingFlow: string
  /** Lets the broken member succeed from now on. */
  repair(): void
  close(): Promise<void>
}

/** Fills Redis by the client, with a worker of its own. */
export async function startGraphs(client: Client, redis: string): Promise<GraphsAtWork> {
  let isBroken = true
  let end = () => {}
  const ended = new Promise<void>((resolve) => (end = resolve))
  const works = defineTask({ name: 'extract', handler: () => 1 })
  const breaks = defineTask({
    name: 'render',
    handler: () => {
      if (isBroken) throw new Error('no font <b>Inter</b>')
    },
  })
  const limited = defineTask({ name: 'geocode', limits: [{ name: 'geocoder', concurrency: 1 }], handler: () => ended })
  const worker = new Worker({
    redis,
    name: 'graphs-1',
    queueName: QUEUE,
    tasks: [works, breaks, limited],
    cron: [cron('cron:nightly', '0 3 * * *', () => {}, { timeZone: 'UTC' })],
    handleSignals: false,
    recorder: { intervalMs: 100 },
  })
  const stop = new AbortController()
  const running = worker.run(stop.signal)

  const report = flow('report')
  const rows = ['orders', 'visits'].map((name) => report.call(works, [], { name, queueName: QUEUE }))
  const rendered = report.call(breaks, [], { name: 'render <i>', after: rows, queueName: QUEUE })
  report.call(works, [], { name: 'publish', after: rendered, queueName: QUEUE })
  report.call(works, [], { name: 'alert', after: rendered, on: 'failure', queueName: QUEUE })
  const failed = await client.start(report)

  const gallery = flow('gallery')
  const split = gallery.call(works, [], { name: 'split', queueName: 'nobody' })
  const pages = Array.from({ length: 60 }, (_, i) =>
    gallery.call(works, [], { name: `page ${i}`, after: split, queueName: 'nobody' }),
  )
  gallery.call(works, [], { name: 'sheet', after: pages, queueName: 'nobody' })
  const waiting = await client.start(gallery)

  await client.schedules.put('digest:42', {
    task: 'send_mail',
    cron: '0 8 * * *',
    timeZone: 'Europe/Berlin',
    input: ['ada'],
  })
  await client.schedules.put('poll', { task: 'poll', everyMs: 300_000 })
  await client.schedules.pause('poll')
  for (let i = 0; i < 3; i++) await client.enqueue(limited, [], { queueName: QUEUE, jobId: `geocode-${i}` })
  await eventually(async () => (await client.limits.get('geocoder')).waiting === 2)
  await eventually(async () => (await client.flows.list()).some(({ state }) => state === 'failed'))
  return {
    failedFlow: failed.flowId,
    waitingFlow: waiting.flowId,
    repair: () => void (isBroken = false),
    async close() {
      end()
      stop.abort()
      await running
    },
  }
}
