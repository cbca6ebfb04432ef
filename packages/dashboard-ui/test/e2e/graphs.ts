import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import type { Site } from '../support/site.ts'

/** Tests of flows, schedules, limits and tables, on the site of the other pages. `show` opens a page and waits for its data. */
export function testGraphs(site: () => Site, show: (page: Page, path: string) => Promise<void>): void {
  test('show a flow as a graph that leads to its jobs, and replay its failed part', async () => {
    const { page, problems } = await site().open({ reduced: true })
    await show(page, '/flows')
    await page.locator('h1', { hasText: 'One flow failed; one runs now.' }).waitFor()
    await page.getByRole('link', { name: 'report', exact: true }).click()
    await page.locator('h1', { hasText: 'report failed: render <i> did not succeed.' }).waitFor()
    const nodes = await page.locator('.node').all()
    expect(await Promise.all(nodes.map((node) => node.getAttribute('aria-label')))).toEqual([
      'orders, succeeded',
      'visits, succeeded',
      'render <i>, failed',
      'publish, blocked',
      'alert, succeeded',
    ])
    // Each node stands to the right of all before it.
    const left = async (name: string) => (await page.getByRole('link', { name }).first().boundingBox())!.x
    expect(await left('render <i>, failed')).toBeGreaterThan(await left('orders, succeeded'))
    expect(await left('publish, blocked')).toBeGreaterThan(await left('render <i>, failed'))
    site().graphs.repair()
    await page.keyboard.press('r')
    const sheet = page.getByRole('dialog')
    await sheet.getByText('Nothing has changed yet.').waitFor()
    await sheet.getByRole('button', { name: 'Replay the failed part' }).click()
    await expect.poll(() => page.locator('h1').innerText(), { timeout: 20_000 }).toBe('report is complete.')
    await page.getByRole('link', { name: 'render <i>, succeeded' }).click()
    await page.waitForURL(/\/job\?id=/)
    await page.locator('h1', { hasText: 'render' }).waitFor()
    expect(problems).toEqual([])
  }, 60_000)

  test('draw like members of a large flow as one, list them on a click, and cancel it', async () => {
    const { page, problems } = await site().open({ reduced: true })
    await show(page, `/flow?id=${site().graphs.waitingFlow}`)
    expect(await page.locator('.node').count()).toBe(3)
    await page.getByRole('button', { name: '×60' }).click()
    await page.getByText('60 of 62').waitFor()
    await page.getByRole('button', { name: 'Cancel…' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel the flow' }).click()
    await page.locator('h1', { hasText: 'gallery was cancelled.' }).waitFor()
    expect(problems).toEqual([])
  })

  test('make a schedule after a preview of its ticks, pause it, undo that, and remove it', async () => {
    const { page, problems } = await site().open({ reduced: true })
    await show(page, '/schedules')
    await page.locator('h1', { hasText: 'Two schedules are kept; one is paused.' }).waitFor()
    await page.keyboard.press('n')
    const sheet = page.getByRole('dialog')
    await sheet.getByLabel('Name').fill('weekly')
    await sheet.getByLabel('Cron expression').fill('0 25 * * *')
    await sheet.getByText(/25/).and(sheet.locator('.failing')).waitFor()
    await sheet.getByLabel('Cron expression').fill('30 6 * * 1')
    await sheet.getByText(/^Next: .* 06:30/).waitFor()
    await sheet.getByLabel('Function').fill('send_mail')
    await sheet.getByLabel('Arguments, a JSON array').fill('["grace"]')
    await sheet.getByRole('button', { name: 'Make the schedule' }).click()
    await page.locator('h1', { hasText: 'weekly ticks next at' }).waitFor()
    await page.getByRole('region', { name: 'Call' }).getByText('grace').waitFor()
    await page.keyboard.press('p')
    await page.locator('h1', { hasText: 'weekly is paused.' }).waitFor()
    await page.getByRole('button', { name: 'Undo' }).click()
    await page.locator('h1', { hasText: 'weekly ticks next at' }).waitFor()
    await page.keyboard.press('d')
    await sheet.getByRole('button', { name: 'Remove the schedule' }).click()
    await page.waitForURL(/\/schedules$/)
    expect(await site().client.schedules.get('weekly')).toBeNull()
    // The refused preview is a failed request, which a browser logs.
    expect(problems.filter((problem) => !problem.includes('400'))).toEqual([])
  }, 60_000)

  test('pause a cron job, and undo that', async () => {
    const { page, problems } = await site().open({ reduced: true })
    await show(page, '/cron')
    await page.getByRole('button', { name: 'Pause cron:nightly' }).click()
    await page.getByText(/^paused since/).waitFor()
    expect((await site().client.cron.list()).map(({ name, pause }) => [name, pause?.reach])).toEqual([
      ['cron:nightly', 'exact'],
    ])
    await page.getByRole('button', { name: 'Undo' }).click()
    await page.getByRole('button', { name: 'Pause cron:nightly' }).waitFor()
    expect((await site().client.cron.list())[0]!.pause).toBeNull()
    expect(problems).toEqual([])
  })

  test('show the jobs that have places of a limit and those that wait, and set it', async () => {
    const { page, problems } = await site().open({ reduced: true })
    await show(page, '/limits')
    await page.locator('h1', { hasText: 'geocoder holds 2 jobs back.' }).waitFor()
    await page.getByRole('row', { name: /^geocoder/ }).click()
    await page.getByRole('table', { name: 'Jobs that have a place' }).getByText('geocode-').waitFor()
    expect(await page.getByRole('table', { name: 'Jobs that wait for a place' }).getByRole('row').count()).toBe(3)
    await page.keyboard.press('e')
    await page.getByLabel('Jobs at a time').fill('2')
    await page.getByRole('button', { name: 'Set the limit' }).click()
    await page.locator('h1', { hasText: 'geocoder holds 1 job back.' }).waitFor()
    expect(problems).toEqual([])
  })

  test('order a table by a column, in the address, and open the row that the keys reached', async () => {
    const { page, problems } = await site().open({ reduced: true })
    await show(page, '/queues')
    const names = () => page.locator('tbody th a').allInnerTexts()
    const own = await names()
    await page.getByRole('button', { name: 'Queue', exact: true }).click()
    await page.waitForURL(/order=queue/)
    const rising = await names()
    expect(rising).toEqual([...own].sort(new Intl.Collator('en', { numeric: true }).compare))
    expect(await page.locator('th[aria-sort=ascending]').innerText()).toBe('Queue')
    await page.getByRole('button', { name: 'Queue', exact: true }).click()
    await page.waitForURL(/order=-queue/)
    expect(await names()).toEqual(rising.toReversed())
    await page.reload()
    await page.locator('tbody tr').first().waitFor()
    expect(await names()).toEqual(rising.toReversed())
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/queue\?name=/)
    expect(new URL(page.url()).searchParams.get('name')).toBe(rising.at(-2))
    expect(problems).toEqual([])
  })

  test('select a range of rows with Shift, and all of them by the head', async () => {
    const { page } = await site().open({ reduced: true })
    await show(page, '/jobs?q=status%3Adead')
    const boxes = page.locator('tbody input[type=checkbox]')
    await boxes.first().click()
    await boxes.nth(3).click({ modifiers: ['Shift'] })
    await page.getByText('4 jobs selected:').waitFor()
    await page.getByLabel('Select all jobs shown').click()
    await page.getByText(`${await boxes.count()} jobs selected:`).waitFor()
    await page.getByLabel('Select all jobs shown').click()
    await page.getByText('All that fit:').waitFor()
  })
}
