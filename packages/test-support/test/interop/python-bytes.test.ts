import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { ARQ_VERSIONS } from '../../src/index.ts'
import { payloadOf, planFleet, resultOf } from '../../src/fleet/index.ts'

const python = process.env[`ARQ_TEST_PYTHON_${ARQ_VERSIONS.at(-1)}`]

test.skipIf(!python)("a fleet's Python jobs and results are, byte by byte, what arq writes for them", () => {
  const plan = planFleet({ seed: 19, jobs: 900, nowMs: Date.UTC(2026, 10, 28), damaged: false })
  const jobs = plan.jobs.filter(({ language }) => language === 'python')
  const cases = jobs.map((job) => {
    const isResult = job.finishedMs !== null && job.state !== 'dead'
    return { ...job, ...job.call, state: isResult ? job.state : null, bytes: isResult ? resultOf(job) : payloadOf(job) }
  })
  const input = cases.map((each) => JSON.stringify({ ...each, bytes: undefined })).join('\n')
  const script = fileURLToPath(new URL('python_bytes.py', import.meta.url))
  const { stdout, stderr } = spawnSync(python!, [script], { input, encoding: 'utf8' })
  expect(stderr).toBe('')
  expect(cases.map(({ bytes }) => bytes!.toString('hex'))).toEqual(stdout.trim().split('\n'))
  expect(cases.length).toBeGreaterThan(300)
})
