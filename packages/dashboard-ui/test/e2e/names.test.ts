import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client, createLogger, cron, defineTask, flow, Worker } from '@arq-ts/core'
import { createDashboard, serveDashboard } from '@arq-ts/dashboard'
import { showId } from '@arq-ts/protocol/jobs'
import { eventually, takeDatabase } from '@arq-ts/test-support'
import { chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const without = process.env.ARQ_TEST_NO_BROWSER

/** Markup, quotes, a character that nobody sees, one that turns the text around, and what reads as an escape. */
const odd = (word: string) => `${word}<b>&"'\u200b\u202e\\x41`
const QUEUE = odd('queue')
const LONELY = odd('lonely')
const FUNCTION = odd('function')
const MISSING = odd('missing')
const logger = createLogger({ level: 'silent' })

/** Each page, the parts of it that need a name, and the names. */
const pages = (flowId: string): readonly (readonly [path: string, names: readonly string[]])[] => [
  ['/', [LONELY, MISSING]],
  ['/queues', [QUEUE, LONELY]],
  [`/queue?name=${encodeURIComponent(showId(QUEUE))}`, [QUEUE]],
  ['/jobs', [MISSING, QUEUE]],
  [
    `/job?id=${encodeURIComponent(showId(odd('dead')))}&queue=${encodeURIComponent(showId(QUEUE))}`,
    [odd('dead'), FUNCTION],
  ],
  ['/errors', [QUEUE]],
  ['/functions', [FUNCTION, MISSING]],
  [`/functions?function=${encodeURIComponent(showId(FUNCTION))}`, [FUNCTION]],
  ['/workers', [odd('worker'), QUEUE]],
  ['/cron', [odd('cron:tick')]],
  ['/flows', [odd('flow')]],
  [`/flow?id=${encodeURIComponent(flowId)}`, [odd('flow'), odd('first'), odd('second'), odd('third')]],
  ['/schedules', [odd('schedule'), QUEUE]],
  [`/schedule?name=${encodeURIComponent(showId(odd('schedule')))}`, [odd('schedule')]],
  ['/limits', ['api', odd('key')]],
  [`/limit?name=api&key=${encodeURIComponent(showId(odd('key')))}`, ['api', odd('key')]],
  ['/doctor', [LONELY]],
  ['/audit', [QUEUE]],
]

describe.skipIf(without)('names on the pages', () => {
  const closing: (() => unknown)[] = []
  let url = ''
  let flowId = ''
  let browser: Awaited<ReturnType<typeof chromium.launch>>

  beforeAll(async () => {
    await promisify(execFile)(process.execPath, [join(import.meta.dirname, '../../scripts/build.mjs')])
    const database = await takeDatabase()
    closing.push(() => database.release())
    const client = new Client({ redis: database.url, logger, codec: 'pickle' })
    closing.push(() => client.close())
    let end = () => {}
    const ended = new Promise<void>((resolve) => (end = resolve))
    const works = defineTask({
      name: FUNCTION,
      handler: () => {
        throw new Error('refused')
      },
    })
    const holds = defineTask({
      name: odd('holds'),
      limits: [{ name: 'api', concurrency: 1, key: () => odd('key') }],
      handler: () => ended,
    })
    const worker = new Worker({
      redis: database.url,
      logger,
      name: odd('worker'),
      queues: [QUEUE],
      tasks: [works, holds],
      cron: [cron(odd('cron:tick'), '0 3 * * *', () => {}, { timeZone: 'UTC' })],
      handleSignals: false,
      recorder: { intervalMs: 100 },
    })
    const running = worker.run()
    closing.push(() => {
      end()
      return worker.stop().then(() => running)
    })
    await client.enqueue(works, [], { queueName: QUEUE, jobId: odd('dead') })
    for (const id of ['a', 'b']) await client.enqueue(holds, [], { queueName: QUEUE, jobId: odd(id) })
    await client.enqueue(MISSING, [], { queueName: LONELY, jobId: odd('waits') })
    await client.enqueue(MISSING, [], { queueName: QUEUE, jobId: odd('unserved'), deferByMs: 3_600_000 })
    const graph = flow(odd('flow'), { onUnknown: 'fail' })
    const first = graph.call(MISSING, [], { name: odd('first'), queueName: LONELY })
    const second = graph.call(MISSING, [], { name: odd('second'), queueName: LONELY, after: first })
    graph.call(MISSING, [], { name: odd('third'), queueName: LONELY, after: [first, second], on: 'failure' })
    flowId = (await client.start(graph)).flowId
    await client.schedules.put(odd('schedule'), { task: FUNCTION, everyMs: 3_600_000, queueName: QUEUE })
    await eventually(async () => (await client.deadLetters.count()) === 1)
    await eventually(async () => (await client.limits.get('api', { key: odd('key') })).waiting === 1)
    await eventually(async () => (await client.history.errors({})).length > 0)
    const dashboard = createDashboard({ client })
    closing.push(() => dashboard.close())
    const server = await serveDashboard(dashboard)
    closing.push(() => server.close())
    url = server.url.replace(/\/$/, '')
    browser = await chromium.launch({
      executablePath: process.env.ARQ_TEST_CHROMIUM!,
      args: ['--no-sandbox', '--disable-gpu'],
    })
    closing.push(() => browser.close())
    // An entry of the audit log.
    const pause = await fetch(`${url}/api/queues/${encodeURIComponent(showId(QUEUE))}/pause`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin', origin: url },
      body: '{}',
    })
    expect(pause.status).toBe(200)
  }, 120_000)
  afterAll(async () => {
    for (const close of closing.reverse()) await close()
  })

  test('are shown as text, invisible characters as escapes, each once', async () => {
    const page = await browser.newPage({ viewport: { width: 1_440, height: 2_000 } })
    const wrong: string[] = []
    for (const [path, names] of pages(flowId)) {
      await page.goto(url + path)
      await page.locator('#content h1').waitFor()
      await page.locator('.waiting').waitFor({ state: 'detached' })
      const first = names[0]!
      await page
        .getByText(showId(first), { exact: false })
        .first()
        .waitFor({ timeout: 5_000 })
        .catch(() => {})
      const texts = (await page.evaluate(`[
        document.querySelector('#content').innerText,
        ...[...document.querySelectorAll('#content *')].flatMap((each) =>
          ['title', 'aria-label', 'placeholder'].map((name) => each.getAttribute(name) ?? '')),
      ]`)) as string[]
      const whole = texts[0]!.replaceAll(/\s+/g, ' ')
      for (const name of names)
        if (!whole.includes(showId(name))) wrong.push(`${path}: lacks ${showId(name)}: ${whole.slice(0, 400)}`)
      for (const text of texts) {
        const around = /.{0,40}(?:[\u200b\u202e]|\\x5cx(?:e2|5c)).{0,20}/.exec(text)
        if (around) wrong.push(`${path}: ${JSON.stringify(around[0])}`)
      }
    }
    expect(wrong).toEqual([])
  }, 120_000)
})
