import { ARQ_VERSIONS, pythonArq, pythonCelery, pythonCron, whyNoPython } from '@arq-ts/test-support'

/**
 * Virtual environments with each pinned arq, with the oracle of cron schedules, and with Celery. Tests read ARQ_TEST_PYTHON_<version>
 * and ARQ_TEST_PYTHON_CRON, and skip with the reason where ARQ_TEST_NO_PYTHON is set.
 */
export default async function setup(): Promise<void> {
  const reason = await whyNoPython()
  if (reason !== undefined) {
    process.env.ARQ_TEST_NO_PYTHON = reason
    console.log(`tests against Python are left out: ${reason}`)
    return
  }
  const wanted: [name: string, what: string, make: () => Promise<string>][] = [
    ...ARQ_VERSIONS.map((version) => [version, `arq ${version}`, () => pythonArq(version)] as (typeof wanted)[number]),
    ['CRON', 'cronsim', pythonCron],
    ['CELERY', 'Celery', pythonCelery],
  ]
  for (const [name, what, make] of wanted) {
    try {
      process.env[`ARQ_TEST_PYTHON_${name}`] = await make()
    } catch (error) {
      process.env.ARQ_TEST_NO_PYTHON = `${what} cannot be installed: ${(error as Error).message.split('\n')[0]}`
      console.log(`tests against Python are left out: ${process.env.ARQ_TEST_NO_PYTHON}`)
      return
    }
  }
}
