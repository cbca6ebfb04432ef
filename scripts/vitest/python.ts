import { ARQ_VERSIONS, pythonArq, whyNoPython } from '@arq-ts/testkit'

/** Virtual environments with each pinned arq. Tests read ARQ_TEST_PYTHON_<version>, and skip with the reason where it is not set. */
export default async function setup(): Promise<void> {
  const reason = await whyNoPython()
  if (reason !== undefined) {
    process.env.ARQ_TEST_NO_PYTHON = reason
    console.log(`tests against Python are left out: ${reason}`)
    return
  }
  for (const version of ARQ_VERSIONS) {
    try {
      process.env[`ARQ_TEST_PYTHON_${version}`] = await pythonArq(version)
    } catch (error) {
      process.env.ARQ_TEST_NO_PYTHON = `arq ${version} cannot be installed: ${(error as Error).message.split('\n')[0]}`
      console.log(`tests against Python are left out: ${process.env.ARQ_TEST_NO_PYTHON}`)
      return
    }
  }
}
