/** The newer parts of the night: flows, schedules made at run time, limits. */
import { setTimeout as sleep } from 'node:timers/promises'
import { defineTask, flow } from '@arq-ts/core'
import type { Client } from '@arq-ts/core'
import { z } from 'zod'

const source = z.object({ source: z.string() })

const extract = defineTask({
  name: 'extract_rows',
  params: source,
  handler: async (ctx, { source: of }) => {
    await sleep(2_000 + Math.random() * 6_000, undefined, { signal: ctx.signal })
    if (of === 'refunds' && Math.random() < 0.4) throw new Error('connection to warehouse-2 was reset by peer')
    return { rows: Math.round(Math.random() * 40_000) }
  },
})
const join = defineTask({
  name: 'join_rows',
  handler: async (ctx) => {
    await sleep(5_000, undefined, { signal: ctx.signal })
    return { rows: 118_204 }
  },
})
const render = defineTask({
  name: 'render_report',
  params: z.object({ format: z.string() }),
  handler: async (ctx) => {
    await sleep(9_000, undefined, { signal: ctx.signal })
    return { pages: 14 }
  },
})
const publish = defineTask({ name: 'publish_report', handler: () => sleep(1_000) })
const alert = defineTask({ name: 'alert_on_call', handler: () => sleep(300) })
const thumbnail = defineTask({
  name: 'make_thumbnail',
  params: z.object({ page: z.number().int() }),
  handler: async (ctx, { page }) => {
    await sleep(1_500 + Math.random() * 4_000, undefined, { signal: ctx.signal })
    if (page % 57 === 0) throw new Error(`page ${page} has no image`)
  },
})
const geocode = defineTask({
  name: 'geocode_address',
  params: z.object({ address: z.string(), tenant: z.string() }),
  limits: [
    { name: 'geocoder', concurrency: 3, rate: { count: 20, perMs: 60_000, burst: 5 } },
    { name: 'tenant', concurrency: 2, key: ({ tenant }) => tenant },
  ],
  handler: async (ctx) => {
    await sleep(4_000 + Math.random() * 3_000, undefined, { signal: ctx.signal })
    return { lat: 52.52, lon: 13.405 }
  },
})

/** Their tasks, for a worker of the queue `reports`. */
export const graphTasks = [extract, join, render, publish, alert, thumbnail, geocode]

const queueName = 'reports'

async function startReport(client: Client): Promise<void> {
  const f = flow('monthly_report')
  const rows = ['orders', 'refunds', 'visits'].map((of) =>
    f.call(extract, { source: of }, { name: `extract ${of}`, queueName }),
  )
  const joined = f.call(join, [], { name: 'join', after: rows, queueName })
  const pages = ['pdf', 'html'].map((format) =>
    f.call(render, { format }, { name: `render ${format}`, after: joined, queueName }),
  )
  f.call(publish, [], { name: 'publish', after: pages, queueName })
  f.call(alert, [], { name: 'alert on call', after: [joined, ...pages], on: 'failure', queueName })
  await client.start(f)
}

async function startGallery(client: Client): Promise<void> {
  const f = flow('gallery')
  const split = f.call(join, [], { name: 'split', queueName })
  const pages = Array.from({ length: 120 }, (_, page) =>
    f.call(thumbnail, { page }, { name: `thumbnail ${page}`, after: split, queueName }),
  )
  const sheet = f.call(render, { format: 'sheet' }, { name: 'contact sheet', after: pages, on: 'any', queueName })
  f.call(publish, [], { name: 'publish', after: sheet, queueName })
  await client.start(f)
}

/** Schedules and limits that somebody made by hand. */
export async function prepareGraphs(client: Client): Promise<void> {
  const { limits, schedules } = client
  const mail = { task: 'send_mail', queueName: 'mail', codec: 'pickle' } as const
  await schedules.put('digest:42', {
    ...mail,
    cron: '0 8 * * *',
    timeZone: 'Europe/Berlin',
    input: ['ada@example.com'],
    kwargs: { template: 'digest' },
    overlap: 'skip',
    missed: 'latest',
  })
  await schedules.put('reminders', {
    ...mail,
    cron: '*/30 6-20 * * 1-5',
    timeZone: 'Europe/Berlin',
    input: ['team@example.com'],
  })
  await schedules.put('feeds', {
    task: 'index_documents',
    everyMs: 300_000,
    kwargs: { collection: 'feeds', count: 80 },
    queueName: 'default',
  })
  await schedules.put('launch', { ...mail, at: Date.now() + 50_000_000, input: ['everybody@example.com'] })
  await schedules.put('export:old', { task: 'export_rows', cron: '15 */2 * * *', queueName })
  await schedules.pause('export:old')
  await limits.set('tenant', { key: 'acme', concurrency: 1 })
  await startReport(client)
  await startGallery(client)
}

/** Enqueues the jobs of one second of the night. */
export async function continueGraphs(client: Client, second: number): Promise<void> {
  if (second % 90 === 45) await startReport(client)
  if (second % 600 === 300) await startGallery(client)
  if (second % 2 !== 0) return
  const tenant = ['acme', 'acme', 'globex', 'initech'][Math.floor(Math.random() * 4)]!
  await client.enqueue(geocode, { address: `${second} Main Street`, tenant }, { queueName })
}
