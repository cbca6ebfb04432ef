import { allPythons, whyNoPython } from '@arq-ts/test-support'

/**
 * Virtual environments with each pinned arq, with the oracle of cron schedules, and with Celery. Tests read ARQ_TEST_PYTHON_<version>
 * and ARQ_TEST_PYTHON_CRON, and skip with the reason where ARQ_TEST_NO_PYTHON is set.
 */
export default async function setup(): Promise<void> {
  const reason = await whyNoPython()
  try {
    if (reason !== undefined) throw new Error(reason)
    for (const [name, interpreter] of Object.entries(await allPythons()))
      process.env[`ARQ_TEST_PYTHON_${name}`] = interpreter
  } catch (error) {
    process.env.ARQ_TEST_NO_PYTHON = (error as Error).message
    console.log(`tests against Python are left out: ${process.env.ARQ_TEST_NO_PYTHON}`)
  }
}
