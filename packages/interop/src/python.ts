import { fileURLToPath } from 'node:url'
import { Child } from '@arq-ts/test-support'

/** The interpreter for a pinned arq, or undefined where Python is left out (global setup says why). */
export function pythonOf(version: string): string | undefined {
  return process.env[`ARQ_TEST_PYTHON_${version}`]
}

/** Reason to leave out tests against Python here; undefined where they run. */
export const noPython: string | undefined = process.env.ARQ_TEST_NO_PYTHON

/** A version of arq between two that every run proves: on the wire it differs only by its rules, which are tried as well. */
const BETWEEN = '0.26.3'

/** Reason to leave out the whole table of a version of arq; undefined where it is proved. */
export function whyNoTable(version: string): string | undefined {
  if (version === BETWEEN && process.env.ARQ_TEST_VERSIONS !== 'all')
    return 'ARQ_TEST_VERSIONS=all proves it, in a minute more'
  return noPython
}

export function pythonScript(interpreter: string, name: string, config: object): Child {
  const script = fileURLToPath(new URL(`../python/${name}.py`, import.meta.url))
  return new Child(interpreter, ['-u', script, JSON.stringify(config)], { stdin: true })
}
