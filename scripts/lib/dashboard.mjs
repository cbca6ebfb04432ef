// The dashboard at the end of `npm start`, over a fleet that stays at work.
import { spawn, spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { root } from './command.mjs'

const PORT = 7700
/** A cold start of the command on a busy machine takes seconds. */
const START_MS = 60_000
const PAGE_MS = 30_000

/**
 * Starts `arq-ts dashboard`, on its usual port or, where that is taken, on any.
 *
 * @returns {Promise<{ url: string, stop(): Promise<void> }>}
 */
export async function startDashboard(redisUrl) {
  return (await start(redisUrl, PORT).catch(() => undefined)) ?? start(redisUrl, 0)
}

async function start(redisUrl, port) {
  const main = join(root, 'packages/cli/dist/main.js')
  const child = spawn(process.execPath, [main, 'dashboard', '--port', String(port), '--json', '--redis', redisUrl], {
    cwd: root,
    detached: true, // Ctrl-C is for us
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  process.on('exit', () => child.kill('SIGTERM'))
  const complaints = []
  createInterface({ input: child.stderr }).on('line', (line) => complaints.push(line))
  const ended = new Promise((resolve) => child.on('close', resolve))
  const url = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (line) => resolve(JSON.parse(line).url))
    void ended.then(() => reject(new Error(`the dashboard ended: ${complaints.slice(-3).join(' ')}`)))
    AbortSignal.timeout(START_MS).addEventListener('abort', () => reject(new Error('the dashboard does not start')))
  })
  return {
    url,
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** Takes a picture of a page; gives the reason where there can be none. */
export async function takePicture(url, path) {
  const executablePath = ['chromium', 'chromium-browser', 'google-chrome'].flatMap((name) => {
    const found = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim()
    return found ? [found] : []
  })[0]
  if (!executablePath) return { why: 'no chromium is installed' }
  const require = createRequire(join(root, 'packages/dashboard-ui/package.json'))
  const { chromium } = require('playwright-core')
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  let browser
  try {
    browser = await chromium.launch({ executablePath, args })
    const page = await browser.newPage({ viewport: { width: 1440, height: 1100 } })
    await page.goto(url, { timeout: PAGE_MS })
    await page.locator('main h1').first().waitFor({ timeout: PAGE_MS })
    await page.locator('main svg, main canvas').first().waitFor({ timeout: PAGE_MS })
    await page.screenshot({ path })
    return {}
  } catch (error) {
    return { why: error.message.split('\n')[0] }
  } finally {
    await browser?.close()
  }
}
