/**
 * Takes the pictures of the documentation from a running dashboard: start `dev/night.ts` and `arq-ts dashboard`, give
 * them a while, then `npx tsx scripts/pictures.ts http://127.0.0.1:9465`. Needs a Chromium; each picture stays below
 * 100 KiB.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chromium, type Page } from 'playwright-core'

const base = (process.argv[2] ?? 'http://127.0.0.1:9465').replace(/\/$/, '')
const out = join(import.meta.dirname, '../../../docs/pictures')
const LIMIT_BYTES = 100 * 1_024

const job = async (q: string): Promise<string> => {
  const answer = await fetch(`${base}/api/jobs?limit=1&q=${encodeURIComponent(q)}`)
  const { jobs } = (await answer.json()) as { jobs: { jobId: string; queueName: string | null }[] }
  return jobs[0]
    ? `/job?id=${encodeURIComponent(jobs[0].jobId)}&queue=${encodeURIComponent(jobs[0].queueName ?? '')}`
    : '/jobs'
}

/** The newest flow of a name that ended in a state, or any of them. */
const flow = async (name: string, state: string): Promise<string> => {
  const { flows } = (await (await fetch(`${base}/api/flows`)).json()) as {
    flows: { flowId: string; name: string; state: string }[]
  }
  const named = flows.filter((each) => each.name === name)
  const found = named.find((each) => each.state === state) ?? named[0]
  return found ? `/flow?id=${encodeURIComponent(found.flowId)}` : '/flows'
}

const open = (path: string) => async (page: Page) => {
  await page.goto(base + path)
  await page.locator('#content h1').waitFor()
  // Charts and tables of a page come with answers of their own.
  await page.locator('.waiting').waitFor({ state: 'detached' })
  await page.locator('.chart[aria-busy=true]').first().waitFor({ state: 'detached' })
  if (path.startsWith('/job?')) await page.locator('.why').waitFor()
  await page
    .locator('.chart path.line, tbody tr, .node')
    .first()
    .waitFor({ timeout: 5_000 })
    .catch(() => undefined)
}
const pictures: [name: string, scheme: 'light' | 'dark', width: number, show: (page: Page) => Promise<unknown>][] = [
  ['overview-light', 'light', 1_440, open('/')],
  ['overview-dark', 'dark', 1_440, open('/')],
  ['overview-small', 'dark', 390, open('/')],
  ['jobs-light', 'light', 1_440, open('/jobs?q=status%3Adead')],
  ['job-light', 'light', 1_440, open(await job('status:retrying queue:default'))],
  ['job-small', 'light', 390, open(await job('status:retrying queue:default'))],
  ['queue-light', 'light', 1_440, open('/queue?name=mail')],
  ['errors-light', 'light', 1_440, open('/errors')],
  [
    'plan-dark',
    'dark',
    1_440,
    async (page) => {
      await open('/errors')(page)
      await page
        .getByRole('button', { name: /^Retry .*…$/ })
        .first()
        .click()
      await page.getByText('Frozen at').waitFor()
    },
  ],
  ['functions-dark', 'dark', 1_440, open('/functions?function=resize_image')],
  ['workers-light', 'light', 1_440, open('/workers')],
  ['flow-light', 'light', 1_440, open(await flow('monthly_report', 'failed'))],
  ['cron-light', 'light', 1_440, open('/cron')],
  ['schedules-light', 'light', 1_440, open('/schedules')],
  ['limit-light', 'light', 1_440, open('/limit?name=geocoder')],
  ['doctor-light', 'light', 1_440, open('/doctor')],
  [
    'palette-dark',
    'dark',
    1_440,
    async (page) => {
      await open('/queues')(page)
      await page.keyboard.press('Control+k')
      await page.getByRole('combobox').fill('mail')
    },
  ],
]

mkdirSync(out, { recursive: true })
const browser = await chromium.launch({
  executablePath: process.env.ARQ_TEST_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
})
try {
  for (const [name, colorScheme, width, show] of pictures) {
    const context = await browser.newContext({
      viewport: { width, height: width < 760 ? 844 : 900 },
      colorScheme,
      reducedMotion: 'reduce',
    })
    const page = await context.newPage()
    await show(page)
    // By the debugger's protocol: playwright itself writes no WebP, and a PNG is three times as large.
    const protocol = await context.newCDPSession(page)
    let picture = Buffer.alloc(LIMIT_BYTES + 1)
    for (let quality = 82; picture.length > LIMIT_BYTES && quality >= 58; quality -= 8) {
      const { data } = await protocol.send('Page.captureScreenshot', { format: 'webp', quality })
      picture = Buffer.from(data, 'base64')
    }
    writeFileSync(join(out, `${name}.webp`), picture)
    const size = picture.length
    console.log(`${name}.webp: ${(size / 1_024).toFixed(0)} KiB`)
    if (size > LIMIT_BYTES) process.exitCode = 1
    await context.close()
  }
} finally {
  await browser.close()
}
