import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { Client } from '@arq-ts/core'
import { createDashboard, serveDashboard } from '@arq-ts/dashboard'
import { eventually } from '@arq-ts/test-support'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openSite, type Site } from '../support/site.ts'
import { testGraphs } from './graphs.ts'

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
  ['flows', '/flows'],
  ['schedules', '/schedules'],
  ['a schedule', '/schedule?name=digest%3A42'],
  ['limits', '/limits'],
  ['a limit', '/limit?name=geocoder'],
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

  // All pages, with axe on each, on a shared machine.
  const LONG_MS = 240_000

  const all = (): readonly (readonly [name: string, path: string])[] => [
    ...PAGES,
    ['a canary', `/canary?id=${site.deploymentId}`],
    ['a flow', `/flow?id=${site.graphs.failedFlow}`],
    ['a large flow', `/flow?id=${site.graphs.waitingFlow}`],
  ]

  const show = async (page: Page, path: string): Promise<void> => {
    await page.goto(site.url + path)
    await page.locator('#content h1').waitFor()
    await page.locator('.waiting').waitFor({ state: 'detached' })
  }

  /**
   * Opens each page once, narrow, and looks at it in every way: loading costs more than any look. What is found, by the look.
   */
  const walk = async () => {
    const { page, problems } = await site.open({ width: 390, reduced: true })
    const found = { light: [] as string[], dark: [] as string[], wide: [] as string[], problems }
    const hold = async (name: string, scheme: 'light' | 'dark', only: string) => {
      await page.emulateMedia({ colorScheme: scheme })
      const { violations } = (await page.evaluate(`axe.run({ resultTypes: ['violations']${only} })`)) as {
        violations: { id: string; nodes: { html: string; failureSummary: string }[] }[]
      }
      for (const { id, nodes } of violations)
        found[scheme].push(`${name}: ${id}: ${nodes[0]!.html.slice(0, 160)}: ${nodes[0]!.failureSummary}`)
    }
    for (const [name, path] of all()) {
      await page.setViewportSize({ width: 390, height: 844 })
      await show(page, path)
      for (const width of [390, 320]) {
        await page.setViewportSize({ width, height: 844 })
        if (await page.evaluate('document.documentElement.scrollWidth > innerWidth'))
          found.wide.push(`${name} at ${width}`)
      }
      await page.setViewportSize({ width: 1_440, height: 900 })
      // By the debugger's protocol, which the page's policy for scripts does not reach.
      await page.evaluate(axe)
      // Structure does not depend on the scheme.
      await hold(name, 'dark', ", runOnly: ['color-contrast']")
      await hold(name, 'light', '')
    }
    return found
  }
  let walked: ReturnType<typeof walk> | undefined
  const looked = () => (walked ??= walk())

  test.each(['light', 'dark'] as const)(
    'hold axe’s rules and the content security policy in %s',
    async (scheme) => {
      const found = await looked()
      expect(found[scheme]).toEqual([])
      expect(found.problems).toEqual([])
    },
    LONG_MS,
  )

  test(
    'never scroll sideways on a screen of 390 px, nor on one of 320',
    async () => {
      expect((await looked()).wide).toEqual([])
    },
    LONG_MS,
  )

  test('keep borders, marks and the focus in forced colours', async () => {
    const { page, problems } = await site.open({ forced: true, reduced: true })
    await show(page, `/flow?id=${site.graphs.failedFlow}`)
    const [border, edge, ground] = (await page.evaluate(`(() => {
      const style = getComputedStyle(document.querySelector('.node'))
      return [style.borderTopStyle, style.borderTopColor, style.backgroundColor]
    })()`)) as string[]
    expect(border).toBe('solid')
    expect(edge).not.toBe(ground)
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid')
    // Marks and edges are drawn in a colour that is not the one of the page.
    const drawn = await page.evaluate(
      "[...document.querySelectorAll('.node svg [fill=currentColor], .edges > path')].map((e) => getComputedStyle(e).getPropertyValue(e.matches('.edges > path') ? 'stroke' : 'fill'))",
    )
    const canvas = await page.evaluate("getComputedStyle(document.querySelector('.node')).backgroundColor")
    // The cross in the mark of a failure is cut out of it.
    const [mark, cross] = (await page.evaluate(`(() => {
      const [shape, cut] = document.querySelectorAll('.node.failure svg path')
      return [getComputedStyle(shape).fill, getComputedStyle(cut).stroke]
    })()`)) as string[]
    expect(cross).toBe(canvas)
    expect(mark).not.toBe(canvas)
    expect(drawn).not.toHaveLength(0)
    expect(drawn).not.toContain(canvas)
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
    const dead = await site.client.deadLetters.count()
    // The focus starts on the title, so that Enter runs nothing.
    await page.keyboard.press('Enter')
    expect(await site.client.deadLetters.count()).toBe(dead)
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

  test('ignore a state that is older than the one they show', async () => {
    const { page } = await site.open()
    await show(page, '/queues')
    await page.waitForFunction('window.streams.at(-1)?.readyState === 1')
    const old = JSON.stringify({ nowMs: 1, queues: [], complete: true, cost: { commands: 0, tookMs: 0 } })
    await page.evaluate(`streams.at(-1).dispatchEvent(new MessageEvent('queues', { data: ${JSON.stringify(old)} }))`)
    await page.evaluate('new Promise(requestAnimationFrame)')
    expect(await page.locator('h1').textContent()).not.toContain('No job')
  })

  test('do not grow while they are open: four hours of messages leave no nodes, listeners or points behind', async () => {
    const { page, problems } = await site.open({ reduced: true })
    await show(page, '/')
    await page.waitForFunction('window.streams.at(-1)?.readyState === 1')
    const overview = await (await fetch(`${site.url}/api/overview`)).text()
    const protocol = await page.context().newCDPSession(page)
    const size = async () => {
      await page.waitForLoadState('networkidle')
      await protocol.send('HeapProfiler.collectGarbage')
      const { nodes, jsEventListeners } = await protocol.send('Memory.getDOMCounters')
      const { usedSize } = await protocol.send('Runtime.getHeapUsage')
      return { nodes, jsEventListeners, usedSize }
    }
    // Each message says something else, a little later; the ranges of the charts move with them.
    const feed = (from: number, to: number) =>
      page.evaluate(`(async () => {
        const first = ${overview}
        for (let i = ${from}; i < ${to}; i++) {
          const queues = first.queues.map((queue, k) => ({ ...queue, pending: (i * 7 + k) % 1000, oldestDueMs: first.nowMs + i * 2000 }))
          const data = JSON.stringify({ ...first, queues, nowMs: first.nowMs + i * 2880 })
          streams.at(-1).dispatchEvent(new MessageEvent('overview', { data }))
          if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve))
        }
      })()`)
    await feed(1, 500)
    const before = await size()
    await feed(500, 5_500)
    const after = await size()
    expect(after.nodes).toBeLessThan(before.nodes * 1.25)
    expect(after.jsEventListeners).toBeLessThan(before.jsEventListeners * 1.25)
    expect(after.usedSize).toBeLessThan(before.usedSize + 2 * 1_024 * 1_024)
    expect(problems).toEqual([])
  }, 60_000)

  test('move jobs to another queue by a plan that waits for the choice', async () => {
    const { page, problems } = await site.open({ reduced: true })
    await show(page, '/jobs?q=id%3Alater+queue%3Amedia')
    await page.locator('tbody tr').first().waitFor()
    await page.keyboard.press('m')
    const sheet = page.getByRole('dialog')
    await sheet.getByText('Choose a queue').waitFor()
    await sheet.getByRole('button', { name: 'Another …' }).click()
    await sheet.getByLabel('Name of the queue').fill('thumbnails')
    await page.keyboard.press('Enter')
    await sheet.getByRole('button', { name: 'Move 1 job' }).click()
    await page.getByRole('button', { name: 'Undo' }).waitFor()
    expect(await site.database.redis.zscore('thumbnails', 'later')).not.toBeNull()
    await page.getByRole('button', { name: 'Undo' }).click()
    await eventually(async () => (await site.database.redis.zscore('media', 'later')) !== null)
    expect(problems).toEqual([])
  })

  test('show a deployment with its guards, and roll it back once that was confirmed', async () => {
    const { page, problems } = await site.open({ reduced: true })
    await show(page, '/canaries')
    await page.getByRole('link', { name: 'products', exact: true }).click()
    await page.locator('h1', { hasText: 'products-v2 gets 10% of products, stage 1 of 3.' }).waitFor()
    const guard = page.getByRole('row', { name: /^error rate 10% .* ≤ 5% / })
    await guard.waitFor()
    await page.getByRole('button', { name: 'Roll back…' }).click()
    const sheet = page.getByRole('dialog')
    await sheet.getByText('Nothing has changed yet.').waitFor()
    await sheet.getByLabel('Reason').fill('the answers look odd')
    await sheet.getByRole('button', { name: 'Roll back' }).click()
    await page.locator('h1', { hasText: 'rolled back' }).waitFor()
    await page.getByText('the answers look odd').first().waitFor()
    expect(problems).toEqual([])
  })

  test('show what the cache has not made durable, and keep a collection that was to be deleted', async () => {
    const { page, problems } = await site.open({ reduced: true })
    await show(page, '/cache')
    await page.locator('h1', { hasText: '3 keys wait to be made durable' }).waitFor()
    await page
      .getByRole('row', { name: /products-v0/ })
      .getByRole('button', { name: 'Keep…' })
      .click()
    await page.getByRole('dialog').getByRole('button', { name: 'Keep the collection' }).click()
    await page.getByText('No collection is to be deleted.').waitFor()
    expect(await site.client.job('old', { queueName: 'operations' }).status()).toBe('not_found')
    expect(problems).toEqual([])
  })

  testGraphs(() => site, show)

  test('say that Redis is silent instead of Live while it does not answer', async () => {
    const client = new Client({ redis: 'redis://127.0.0.1:1', commandTimeoutMs: 200 })
    const dashboard = createDashboard({ client })
    const server = await serveDashboard(dashboard)
    const { page } = await site.open()
    await page.goto(server.url)
    await page.getByText('Redis is silent').waitFor()
    await page.getByRole('heading', { name: 'The dashboard could not load.' }).waitFor()
    await page.context().close()
    await server.close()
    await dashboard.close()
    await client.close()
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
