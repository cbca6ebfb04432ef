import { existsSync, readFileSync } from 'node:fs'
import { aptInstall } from '@arq-ts/test-support'

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/snap/bin/chromium']

/**
 * A Chromium for tests of the dashboard's pages: ARQ_TEST_CHROMIUM names one, else one of the system. CI, as root on a
 * Debian, installs the distribution's. Tests read ARQ_TEST_CHROMIUM, and skip with ARQ_TEST_NO_BROWSER's reason.
 */
export default async function setup(): Promise<void> {
  const found = process.env.ARQ_TEST_CHROMIUM ?? PATHS.find((path) => existsSync(path)) ?? (await install())
  if (found) process.env.ARQ_TEST_CHROMIUM = found
  else {
    process.env.ARQ_TEST_NO_BROWSER = 'no Chromium here (on Debian: apt-get install chromium)'
    console.log(`tests in a browser are left out: ${process.env.ARQ_TEST_NO_BROWSER}`)
  }
}

async function install(): Promise<string | undefined> {
  if (!process.env.CI || process.platform !== 'linux' || process.getuid?.() !== 0) return undefined
  if (!existsSync('/etc/os-release') || !/^ID(_LIKE)?=.*debian/m.test(readFileSync('/etc/os-release', 'utf8')))
    return undefined
  console.log('no Chromium here: installing the package chromium (CI, root on a Debian)')
  try {
    await aptInstall('chromium', 'fonts-liberation')
  } catch (error) {
    console.log(`the package chromium cannot be installed: ${(error as Error).message.split('\n')[0]}`)
  }
  return PATHS.find((path) => existsSync(path))
}
