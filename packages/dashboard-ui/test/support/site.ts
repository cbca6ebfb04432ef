import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client, defineTask, Worker } from '@arq-ts/core'
import { createDashboard, serveDashboard, type Dashboard, type DashboardServer } from '@arq-ts/dashboard'
import { eventually, takeDatabase, type Database } from '@arq-ts/test-support'
import { planFleet, writeFleet } from '@arq-ts/test-support/fleet'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import { z } from 'zod'
import { startGraphs, type GraphsAtWork } from './graphs.ts'
import { startTasks } from './task-packages.ts'

/** The base path of the tests: pages must work under any. */
export const BASE = '/admin/queues'

/** Keeps the page's streams in `streams`, so that a test can hand a page the messages of hours. */
const KEEP_STREAMS = `{
  const Real = EventSource
  window.streams = []
  window.EventSource = class extends Real {
    constructor(address) {
      super(address)
      window.streams.push(this)
    }
  }
}`

/** A real dashboard over a real fleet, and a browser to look at it. */
export interface Site {
  url: string
  client: Client
  database: Database
  deploymentId: string
  graphs: GraphsAtWork
  browser: Browser
  /** A page of a new context that fails the test by what it throws, logs as an error, or violates. */
  open(options?: {
    dark?: boolean
    width?: number
    reduced?: boolean
    forced?: boolean
  }): Promise<{ page: Page; problems: string[] }>
  close(): Promise<void>
}

const resize = defineTask({
  name: 'resize_image',
  params: z.object({ path: z.string(), width: z.number().int().default(800) }),
  handler: (_ctx, { path }) => {
    if (path.endsWith('.heic')) throw new Error(`Input buffer of ${path} contains unsupported image format`)
    return { path }
  },
})

/** Builds the pages, fills a database with a damaged fleet and with jobs of a worker of today, and starts a browser. */
export async function openSite(): Promise<Site> {
  await promisify(execFile)(process.execPath, [join(import.meta.dirname, '../../scripts/build.mjs')])
  const database = await takeDatabase()
  const [seconds] = await database.redis.time()
  await writeFleet(database.redis, planFleet({ seed: 13, jobs: 600, nowMs: Number(seconds) * 1_000 }))
  const client = new Client({ redis: database.url, codec: 'pickle' })
  const worker = new Worker({
    redis: database.url,
    name: 'media-1',
    queueName: 'media',
    tasks: [resize],
    handleSignals: false,
    recorder: { intervalMs: 100 },
  })
  const stop = new AbortController()
  const running = worker.run(stop.signal)
  for (const [n, path] of ['a.jpg', 'b.jpg', 'c.heic', '<img src=x onerror=alert(1)>.heic'].entries()) {
    await client.enqueue(resize, { path }, { queueName: 'media', jobId: `shot-${n}` })
  }
  await client.enqueue(resize, { path: 'later.jpg' }, { queueName: 'media', jobId: 'later', deferByMs: 3_600_000 })
  await eventually(async () => (await client.deadLetters.count()) > 1)

  const [tasks, graphs] = await Promise.all([startTasks(database.url), startGraphs(client, database.url)])
  const dashboard: Dashboard = createDashboard({
    client,
    tasks: tasks.sources,
    title: 'production',
    address: 'redis-1:6379/1',
    basePath: BASE,
  })
  const server: DashboardServer = await serveDashboard(dashboard)
  const browser = await chromium.launch({
    executablePath: process.env.ARQ_TEST_CHROMIUM!,
    args: ['--no-sandbox', '--disable-gpu'],
  })
  const contexts: BrowserContext[] = []
  return {
    url: server.url.replace(/\/$/, '') + BASE,
    client,
    database,
    deploymentId: tasks.deploymentId,
    graphs,
    browser,
    async open({ dark = false, width = 1_440, reduced = false, forced = false } = {}) {
      const context = await browser.newContext({
        viewport: { width, height: 900 },
        colorScheme: dark ? 'dark' : 'light',
        reducedMotion: reduced ? 'reduce' : 'no-preference',
        forcedColors: forced ? 'active' : 'none',
      })
      contexts.push(context)
      await context.addInitScript(KEEP_STREAMS)
      const problems: string[] = []
      const page = await context.newPage()
      page.on('pageerror', (error) => problems.push(`page error: ${error.message}`))
      // Console errors carry violations of the policy too, those before the first script among them.
      page.on('console', (message) => message.type() === 'error' && problems.push(`console: ${message.text()}`))
      // The console names the status alone.
      page.on('response', (response) => {
        if (response.status() < 500) return
        const say = (body: string) => problems.push(`${response.status()} of ${response.url()}: ${body.slice(0, 500)}`)
        response.text().then(say, (error: Error) => say(error.message))
      })
      await page.addInitScript(
        "addEventListener('securitypolicyviolation', (e) => console.error('policy: ' + e.violatedDirective + ' ' + e.blockedURI))",
      )
      return { page, problems }
    },
    async close() {
      await browser.close()
      await server.close()
      await dashboard.close()
      stop.abort()
      await Promise.all([running, tasks.close(), graphs.close()])
      await client.close()
      await database.release()
    },
  }
}
