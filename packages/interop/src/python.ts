import { fileURLToPath } from 'node:url'
import { Child } from '@arq-ts/test-support'

/** The interpreter for a pinned arq, or undefined where Python is left out (global setup says why). */
export function pythonOf(version: string): string | undefined {
  return process.env[`ARQ_TEST_PYTHON_${version}`]
}

/** Reason to leave out tests against Python here; undefined where they run. */
export const noPython: string | undefined = process.env.ARQ_TEST_NO_PYTHON

export function pythonScript(interpreter: string, name: string, config: object): Child {
  const script = fileURLToPath(new URL(`../python/${name}.py`, import.meta.url))
  return new Child(interpreter, ['-u', script, JSON.stringify(config)], { stdin: true })
}
