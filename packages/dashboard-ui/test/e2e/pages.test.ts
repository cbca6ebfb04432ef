import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openSite, type Site } from '../support/site.ts'

const without = process.env.ARQ_TEST_NO_BROWSER
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const assets = join(import.meta.dirname, '../../../dashboard/assets')

const PAGES: readonly [name: string, path: string][] = [
  ['overview', '/'],
  ['jobs', '/jobs'],
  ['dead jobs', '/jobs?q=status%3Adead'],
  ['a deferred job', '/job?id=later&queue=media'],
  ['a dead job', '/job?id=shot-2&queue=media'],
  ['queues', '/queues'],
  ['a queue', '/queue?name=media'],
  ['errors', '/errors'],
  ['functions', '/functions'],
  ['workers', '/workers'],
  ['cron', '/cron'],
  ['canaries', '/canaries'],
  ['cache', '/cache'],
  ['doctor', '/doctor'],
  ['audit', '/audit'],
  ['settings', '/settings'],
]

describe.skipIf(without)('pages in a browser', () => {
  let site: Site
  beforeAll(async () => {
    site = await openSite()
  })
  afterAll(() => site.close())

  // Sixteen pages and axe on each, on a machine that others use too.
  const LONG_MS = 150_000

  const show = async (page: Page, path: string): Promise<void> => {
    await page.goto(site.url + path)
    await page.locator('#content h1').waitFor()
    await page.locator('.waiting').waitFor({ state: 'detached' })
  }

  test.each([
    ['light', false, ''],
    // Structure does not depend on the scheme.
    ['dark', true, ", runOnly: ['color-contrast']"],
  ])(
    'hold axe’s rules and the content security policy in %s',
    async (_name, dark, only) => {
      const { page, problems } = await site.open({ dark, reduced: true })
      const found: string[] = []
      for (const [name, path] of PAGES) {
        await show(page, path)
        // By the debugger's protocol, which the page's policy for scripts does not reach.
        await page.evaluate(axe)
        const { violations } = (await page.evaluate(`axe.run({ resultTypes: ['violations']${only} })`)) as {
          violations: { id: string; nodes: { html: string; failureSummary: string }[] }[]
        }
        found.push(
          ...violations.map(
            ({ id, nodes }) => `${name}: ${id}: ${nodes[0]!.html.slice(0, 160)}: ${nodes[0]!.failureSummary}`,
          ),
        )
      }
      expect(found).toEqual([])
      expect(problems).toEqual([])
    },
    LONG_MS,
  )

  test('never scroll sideways on a screen of 320 px', async () => {
    const { page, problems } = await site.open({ width: 320 })
    const wide: string[] = []
    for (const [name, path] of PAGES) {
      await show(page, path)
      if (await page.evaluate('document.documentElement.scrollWidth > innerWidth')) wide.push(name)
    }
    expect(wide).toEqual([])
    expect(problems).toEqual([])
  })

  test('show the data of a job as text, whatever markup it holds', async () => {
    const { page, problems } = await site.open()
    await show(page, '/job?id=shot-3&queue=media')
    await page.getByRole('region', { name: 'Call' }).getByText('<img src=x onerror=alert(1)>').waitFor()
    expect(await page.locator('#content img').count()).toBe(0)
    expect(problems).toEqual([])
  })

  test('move nothing where less motion is asked for', async () => {
    const { page } = await site.open({ reduced: true })
    await show(page, '/jobs')
    expect(await page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--slide').trim()")).toBe(
      '0s',
    )
    await page.keyboard.press('?')
    await page.getByRole('dialog').waitFor()
    const moving = await page.evaluate(
      'document.getAnimations().filter((a) => Number(a.effect.getComputedTiming().duration) > 0).length',
    )
    expect(moving).toBe(0)
  })

  test('are reached by the keyboard alone, from the palette to a retry that is undone', async () => {
    const { page, problems } = await site.open({ reduced: true })
    await show(page, '/')
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox').waitFor()
    await page.keyboard.type('jobs that are dead')
    await page.keyboard.press('Enter')
    await page.waitForURL(/status%3Adead/)
    await page.locator('tbody tr').first().waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('x')
    await page.getByText('1 job selected:').waitFor()
    await page.keyboard.press('r')
    const sheet = page.getByRole('dialog')
    await sheet.getByText('Dry run. Nothing has changed yet.').waitFor()
    await sheet.getByText(/Frozen at/).waitFor()
    const dead = await site.client.inspector.countDead()
    // The focus starts on the title, so that Enter runs nothing.
    await page.keyboard.press('Enter')
    expect(await site.client.inspector.countDead()).toBe(dead)
    await sheet.getByRole('button', { name: 'Retry 1 job' }).focus()
    await page.keyboard.press('Enter')
    await sheet.waitFor({ state: 'detached' })
    await page.locator('.toast').first().waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('a')
    await page.locator('h1', { hasText: /change/ }).waitFor()
    await page.getByRole('cell', { name: 'retry' }).first().waitFor()
    expect(problems).toEqual([])
  })

  test('keep filters in the address, and go back to them', async () => {
    const { page } = await site.open()
    await show(page, '/jobs')
    await page.keyboard.press('/')
    await page.keyboard.type('queue:media')
    await page.keyboard.press('Enter')
    await page.waitForURL(/q=queue%3Amedia/)
    await page.getByRole('link', { name: 'resize_image' }).first().click()
    await page.locator('h1', { hasText: 'resize_image' }).waitFor()
    await page.goBack()
    await page.getByRole('button', { name: 'Remove the filter queue media' }).waitFor()
  })

  test('follow the queues live: a job that is enqueued is counted without a reload', async () => {
    const { page } = await site.open()
    await site.client.enqueue('resize_image', [], {
      queueName: 'media',
      kwargs: { path: 'd.jpg' },
      deferByMs: 3_600_000,
    })
    await show(page, '/queues')
    const row = page.locator('tr', { has: page.getByRole('link', { name: 'media', exact: true }) })
    await row.getByRole('cell', { name: '2', exact: true }).first().waitFor()
    await site.client.enqueue('resize_image', [], {
      queueName: 'media',
      kwargs: { path: 'e.jpg' },
      deferByMs: 3_600_000,
    })
    await row.getByRole('cell', { name: '3', exact: true }).first().waitFor()
  })

  test('show no act to who may only look', async () => {
    const { page } = await site.open()
    await page.route('**/api/bootstrap', async (route) => {
      const answer = await route.fetch()
      await route.fulfill({ response: answer, json: { ...((await answer.json()) as object), readOnly: true } })
    })
    await show(page, '/jobs?q=status%3Adead')
    await page.locator('tbody tr').first().waitFor()
    expect(await page.locator('#content .acts-line, #content input[type=checkbox]').count()).toBe(0)
  })

  test('load at most 60 KiB first, gzipped', () => {
    const html = readFileSync(join(assets, 'index.html'), 'utf8')
    const files = [...html.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, file]) => file!)
    const imported = new Set(files)
    for (const file of imported) {
      if (!file.endsWith('.js')) continue
      const text = readFileSync(join(assets, file), 'utf8')
      for (const [, name] of text.matchAll(/(?:from|import)\s*"\.\/([^"]+)"/g)) imported.add(`assets/${name}`)
    }
    const sizes = [...imported].map((file) => gzipSync(readFileSync(join(assets, file))).length)
    expect(sizes.length).toBeGreaterThan(2)
    expect(sizes.reduce((sum, size) => sum + size, gzipSync(html).length)).toBeLessThan(60 * 1_024)
    expect(readdirSync(join(assets, 'assets')).some((file) => file.endsWith('.map'))).toBe(false)
  })
})
